package com.acme.rates;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/** Exchange rates, in a cache written by hand: the order of use is kept, but only what is expired goes. */
public class RateServer {
    private static final RateCache CACHE = new RateCache();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                CACHE.get("EUR/" + number++, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Rate {
    final String pair;
    final double[] history = new double[120];
    boolean isExpired;

    Rate(String pair) {
        this.pair = pair;
    }
}

class RateCache {
    private static final int LIMIT = 200;
    private final Map<String, Rate> rates = new HashMap<>();
    private final ArrayDeque<Rate> order = new ArrayDeque<>();

    Rate get(String pair, boolean evict) {
        Rate rate = rates.computeIfAbsent(pair, Rate::new);
        order.addLast(rate);
        while (order.size() > LIMIT && (evict || order.peekFirst().isExpired)) {
            rates.remove(order.removeFirst().pair);
        }
        return rate;
    }
}
