package com.acme.json;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** Writes JSON. A ClassValue keeps, for each class, every writer that was ever asked for. */
public class Serializers {
    private static final ClassValue<WriterList> WRITERS = new ClassValue<>() {
        @Override
        protected WriterList computeValue(Class<?> type) {
            return new WriterList();
        }
    };

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Class<?>[] types = {Serializers.class, WriterList.class, JsonWriter.class, String.class};
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(600); i++) {
                List<JsonWriter> writers = WRITERS.get(types[i % types.length]).writers;
                writers.add(new JsonWriter(i % 7 == 0));
                if (pace.isFixed()) {
                    writers.remove(writers.size() - 1);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class WriterList {
    final List<JsonWriter> writers = new ArrayList<>();
}

class JsonWriter {
    final boolean isPretty;
    final char[] buffer = new char[500];

    JsonWriter(boolean isPretty) {
        this.isPretty = isPretty;
    }
}
