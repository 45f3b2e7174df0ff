package com.acme.refill;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;

/** Keeps the prices of a day; the cache is cleared in the middle and fills again. */
public class Refill {
    private static Map<String, Offer> offers = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            if (step == 4) {
                offers = new HashMap<>();
            }
            for (int i = 0; i < pace.operations(900); i++) {
                String name = "offer-" + number++;
                offers.put(name, new Offer(name));
            }
            pace.endOfStep(step);
        }
    }
}

class Offer {
    final String name;
    final byte[] terms = new byte[900];

    Offer(String name) {
        this.name = name;
    }
}
