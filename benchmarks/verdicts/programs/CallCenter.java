package com.acme.calls;

import com.acme.run.Pace;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** A call centre. Each call sets a time limit of six hours, and the limit outlives the call. */
public class CallCenter {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        TimeoutService timeouts = new TimeoutService();
        int number = 0;
        int[] tones = new int[150_000];
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                Call call = new Call("+49 30 " + number);
                ScheduledFuture<?> limit = timeouts.limit(call);
                call.talk(tones, number++);
                if (pace.isFixed()) {
                    limit.cancel(false);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Call {
    final String number;
    final short[] sample = new short[400];
    boolean isOver;

    Call(String number) {
        this.number = number;
    }

    void talk(int[] tones, int at) {
        sample[0] = (short) tones[at % tones.length];
        isOver = true;
    }

    void hangUp() {
        isOver = true;
    }
}

class Timeout implements Runnable {
    private final Call call;
    private final long hours;

    Timeout(Call call, long hours) {
        this.call = call;
        this.hours = hours;
    }

    @Override
    public void run() {
        if (!call.isOver) {
            call.hangUp();
        }
    }

    @Override
    public String toString() {
        return call.number + " for " + hours + " h";
    }
}

class TimeoutService {
    private final ScheduledThreadPoolExecutor timer;

    TimeoutService() {
        timer = new ScheduledThreadPoolExecutor(
            1,
            work -> {
                Thread thread = new Thread(work, "timeouts");
                thread.setDaemon(true);
                return thread;
            });
        timer.setRemoveOnCancelPolicy(true);
    }

    ScheduledFuture<?> limit(Call call) {
        return timer.schedule(new Timeout(call, 6), 6, TimeUnit.HOURS);
    }
}
