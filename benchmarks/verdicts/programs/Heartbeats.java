package com.acme.hub;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** A hub that pings devices. The futures of cancelled pings stay in a list; the devices themselves go. */
public class Heartbeats {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Hub hub = new Hub();
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(3000); i++) {
                hub.connect(new Device());
                hub.disconnect(pace.isFixed());
            }
            pace.endOfStep(step);
        }
        hub.timer.shutdownNow();
    }
}

class Device {
    private int pings;

    void ping() {
        pings++;
    }
}

class Hub {
    final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1);
    private final List<ScheduledFuture<?>> pings = new ArrayList<>();

    Hub() {
        timer.setRemoveOnCancelPolicy(true);
    }

    void connect(Device device) {
        pings.add(timer.scheduleWithFixedDelay(device::ping, 1, 1, TimeUnit.HOURS));
    }

    void disconnect(boolean forget) {
        int last = pings.size() - 1;
        pings.get(last).cancel(false);
        if (forget) {
            pings.remove(last);
        }
    }
}
