package com.acme.metrics;

import com.acme.run.Pace;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** Histograms with reservoirs of 1,028 values. Most fill soon, those of rare requests slowly. */
public class Reservoirs {
    private static final Map<String, Histogram> REGISTRY = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Random random = new Random(1);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(15_000); i++) {
                int request = (int) Math.min(29, Math.abs(random.nextGaussian()) * 10);
                REGISTRY.computeIfAbsent("GET /" + request, key -> new Histogram()).update(random.nextDouble(), i);
            }
            pace.endOfStep(step);
        }
    }
}

class Histogram {
    private final ConcurrentSkipListMap<Double, MeasuredValue> reservoir = new ConcurrentSkipListMap<>();

    void update(double priority, long value) {
        reservoir.put(priority, new MeasuredValue(value));
        if (reservoir.size() > 1028) {
            reservoir.pollFirstEntry();
        }
    }
}

class MeasuredValue {
    final long value;
    final double weight = 1.0;

    MeasuredValue(long value) {
        this.value = value;
    }
}
