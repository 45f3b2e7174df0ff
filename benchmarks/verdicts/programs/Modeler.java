package com.acme.model;

import com.acme.run.Pace;
import java.util.Map;
import java.util.WeakHashMap;

/** A modeller. Its weak map is never cleared, for each value refers to its key. */
public class Modeler {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Schema schema = new Schema();
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(700); i++) {
                EntityType type = new EntityType("entity" + number++);
                schema.check(MetadataCache.of(type, pace.isFixed()));
            }
            pace.endOfStep(step);
        }
    }
}

class Schema {
    private final long[][] rules = new long[120][600];
    private long checked;

    void check(Metadata metadata) {
        checked += rules[metadata.columns.length % 120][0] + 1;
    }
}

class EntityType {
    final String name;

    EntityType(String name) {
        this.name = name;
    }
}

class Metadata {
    final EntityType type;
    final String[] columns = new String[24];
    final long[] sizes = new long[120];

    Metadata(EntityType type, String name) {
        this.type = type;
        for (int i = 0; i < columns.length; i++) {
            columns[i] = i % 8 == 0 ? name + i : "id";
        }
    }
}

class MetadataCache {
    private static final Map<EntityType, Metadata> byType = new WeakHashMap<>();

    static Metadata of(EntityType type, boolean nameOnly) {
        return byType.computeIfAbsent(type, absent -> new Metadata(nameOnly ? null : absent, absent.name));
    }
}
