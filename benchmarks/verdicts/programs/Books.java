package com.acme.books;

import com.acme.run.Pace;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A book shop with a cache of 4,000 descriptions. It fills for five steps and is full from then on. */
public class Books {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        DescriptionCache cache = new DescriptionCache(4000);
        Random readers = new Random(5);
        long shown = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1000); i++) {
                int book = readers.nextInt(20_000);
                shown += cache.get(book).text.length;
            }
            pace.endOfStep(step);
        }
        System.out.println(shown);
    }
}

class Description {
    final int book;
    final byte[] text = new byte[1800];

    Description(int book) {
        this.book = book;
    }
}

class DescriptionCache {
    private final Map<Integer, Description> entries;

    DescriptionCache(int limit) {
        entries = new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Integer, Description> eldest) {
                return size() > limit;
            }
        };
    }

    Description get(int book) {
        return entries.computeIfAbsent(book, Description::new);
    }
}
