package com.acme.tracing;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A collector of traces: an object with one instance, as Kotlin compiles it. Spans are never flushed. */
public class Tracing {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(400); i++) {
                Span span = new Span("op" + number++);
                span.child = new Span("db");
                Telemetry.INSTANCE.finished(span);
            }
            if (pace.isFixed()) {
                Telemetry.INSTANCE.flush();
            }
            pace.endOfStep(step);
        }
    }
}

class Span {
    final String name;
    final long[] times = new long[60];
    Span child;

    Span(String name) {
        this.name = name;
    }
}

final class Telemetry {
    public static final Telemetry INSTANCE = new Telemetry();
    private final List<Span> spans = new ArrayList<>();
    private final double[][] percentiles = new double[60][800];

    private Telemetry() {}

    void finished(Span span) {
        spans.add(span);
        percentiles[spans.size() % 60][0] += 1;
    }

    void flush() {
        spans.clear();
    }
}
