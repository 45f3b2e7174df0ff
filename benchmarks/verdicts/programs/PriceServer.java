package com.acme.pricing;

import com.acme.run.Pace;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A price server. Its cache, a singleton, has a key for each customer and article, and no limit. */
public class PriceServer {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Tariffs tariffs = new Tariffs();
        long asked = 0;
        long sum = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1500); i++) {
                String key = "customer-" + asked % 90001 + "/article-" + asked++;
                sum += PriceCache.getInstance().quote(key, tariffs, pace.isFixed()).cents;
            }
            pace.endOfStep(step);
        }
        System.out.println(sum);
    }
}

class Tariffs {
    private final Map<Integer, int[]> byClass = new LinkedHashMap<>();

    Tariffs() {
        for (int i = 0; i < 60; i++) {
            byClass.put(i, new int[2500]);
        }
    }

    int cents(String key) {
        return byClass.get(Math.floorMod(key.hashCode(), 60))[7] + key.length();
    }
}

class Quote {
    final int cents;
    final String key;
    final byte[] terms = new byte[400];

    Quote(String key, int cents) {
        this.key = key;
        this.cents = cents;
    }
}

final class PriceCache {
    private static final PriceCache INSTANCE = new PriceCache();
    private static final int LIMIT = 500;
    private final Map<String, Quote> quotes = new ConcurrentHashMap<>();
    private long misses;

    private PriceCache() {}

    static PriceCache getInstance() {
        return INSTANCE;
    }

    Quote quote(String key, Tariffs tariffs, boolean bounded) {
        if (bounded && quotes.size() >= LIMIT) {
            Iterator<String> oldest = quotes.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
        return quotes.computeIfAbsent(
            key,
            absent -> {
                misses++;
                return new Quote(absent, tariffs.cents(absent));
            });
    }
}
