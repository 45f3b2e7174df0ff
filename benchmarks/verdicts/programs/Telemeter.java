package com.acme.meter;

import com.acme.run.Pace;
import java.util.ArrayDeque;

/** Meters, each with the readings of a window that fills in three steps; then the oldest reading goes. */
public class Telemeter {
    private static final Meter[] METERS = new Meter[20];

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int i = 0; i < METERS.length; i++) {
            METERS[i] = new Meter(200 + 10 * i);
        }
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2000); i++) {
                METERS[i % METERS.length].read(i);
            }
            pace.endOfStep(step);
        }
    }
}

class Meter {
    private final int window;
    private final ArrayDeque<MeterReading> readings = new ArrayDeque<>();

    Meter(int window) {
        this.window = window;
    }

    void read(int value) {
        readings.addLast(new MeterReading(value));
        if (readings.size() > window) {
            readings.removeFirst();
        }
    }
}

class MeterReading {
    final long[] values = new long[20];

    MeterReading(int value) {
        values[0] = value;
    }
}
