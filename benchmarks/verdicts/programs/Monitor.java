package com.acme.monitor;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A monitor. One of its two lists of samples is cut when it is full, the other is not. */
public class Monitor {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Collector collector = new Collector(2500);
        long tick = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1500); i++) {
                collector.take(tick++, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Sample {
    final long tick;
    final double load;
    final double[] perCore = new double[48];

    Sample(long tick, double load) {
        this.tick = tick;
        this.load = load;
    }
}

class Collector {
    private final int limit;
    private final List<Sample> recent = new ArrayList<>();
    private final List<Sample> history = new ArrayList<>();

    Collector(int limit) {
        this.limit = limit;
        for (int i = 0; i < limit; i++) {
            recent.add(new Sample(-i, 0));
        }
    }

    void take(long tick, boolean cut) {
        recent.add(new Sample(tick, Math.sin(tick)));
        if (recent.size() > limit) {
            recent.remove(0);
        }
        history.add(new Sample(tick, Math.cos(tick)));
        if (cut && history.size() > 400) {
            history.remove(0);
        }
    }
}
