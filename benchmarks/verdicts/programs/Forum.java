package com.acme.forum;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** A forum: very many sessions come and go, and about 3,000 of them are open at any time. */
public class Forum {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Visitors visitors = new Visitors();
        Random load = new Random(11);
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            int online = pace.operations(2800 + load.nextInt(500));
            for (int i = 0; i < pace.operations(6000); i++) {
                visitors.enter(new Visitor("visitor-" + ++number));
                while (visitors.count() > online) {
                    visitors.leaveOldest();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Visitor {
    final String name;
    final Map<String, String> settings = new HashMap<>();
    final byte[] draft = new byte[900];

    Visitor(String name) {
        this.name = name;
        settings.put("theme", "dark");
    }
}

class Visitors {
    private final Map<String, Visitor> byName = new HashMap<>();
    private final ArrayDeque<Visitor> order = new ArrayDeque<>();

    void enter(Visitor visitor) {
        byName.put(visitor.name, visitor);
        order.addLast(visitor);
    }

    void leaveOldest() {
        byName.remove(order.removeFirst().name);
    }

    int count() {
        return order.size();
    }
}
