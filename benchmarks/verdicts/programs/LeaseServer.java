package com.acme.lease;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.DelayQueue;
import java.util.concurrent.Delayed;
import java.util.concurrent.TimeUnit;

/** A server of leases. A renewal queues a new lease and leaves the old one in the queue until it ends, a day later. */
public class LeaseServer {
    static final LeaseTable TABLE = new LeaseTable();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int renewals = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1200); i++) {
                TABLE.renew("host-" + renewals++ % 300, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Lease implements Delayed {
    final String host;
    final long endsAt;
    final byte[] ticket = new byte[600];

    Lease(String host, long endsAt) {
        this.host = host;
        this.endsAt = endsAt;
    }

    @Override
    public long getDelay(TimeUnit unit) {
        return unit.convert(endsAt - System.nanoTime(), TimeUnit.NANOSECONDS);
    }

    @Override
    public int compareTo(Delayed other) {
        return Long.compare(endsAt, ((Lease) other).endsAt);
    }
}

class LeaseTable {
    private final DelayQueue<Lease> expiring = new DelayQueue<>();
    private final Map<String, Lease> current = new HashMap<>();
    private final Map<Integer, byte[]> audit = new HashMap<>();

    LeaseTable() {
        for (int i = 0; i < 40; i++) {
            audit.put(i, new byte[16_000]);
        }
    }

    void renew(String host, boolean replace) {
        Lease fresh = new Lease(host, System.nanoTime() + TimeUnit.DAYS.toNanos(1));
        Lease old = current.put(host, fresh);
        if (replace && old != null) {
            expiring.remove(old);
        }
        expiring.add(fresh);
    }
}
