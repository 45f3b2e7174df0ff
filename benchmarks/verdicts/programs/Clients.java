package com.acme.clients;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A service for 300 tenants. The history of each is never cut: many lists, none of them large. */
public class Clients {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Directory directory = new Directory();
        int next = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1500); i++) {
                directory.tenant("tenant-" + next++ % 300).seen(new Visit("/page/" + i), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Directory {
    private final Map<String, Tenant> byName = new HashMap<>();

    Tenant tenant(String name) {
        return byName.computeIfAbsent(name, Tenant::new);
    }
}

class Tenant {
    private final String name;
    private final List<Visit> visits = new ArrayList<>();

    Tenant(String name) {
        this.name = name;
    }

    void seen(Visit visit, boolean cut) {
        visits.add(visit);
        if (cut && visits.size() > 4) {
            visits.remove(0);
        }
    }
}

class Visit {
    final String page;
    final long[] marks = new long[40];

    Visit(String page) {
        this.page = page;
    }
}
