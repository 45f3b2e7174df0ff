package com.acme.web;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** A gateway with a pool of threads. Each thread's context keeps the trace of every request that it served. */
public class Gateway {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        AtomicInteger started = new AtomicInteger();
        ExecutorService pool = Executors.newFixedThreadPool(
            6,
            work -> {
                Thread thread = new Thread(work, "http-" + started.incrementAndGet());
                thread.setDaemon(true);
                return thread;
            });
        Map<String, String> routes = new HashMap<>();
        for (int i = 0; i < 3000; i++) {
            routes.put("/service/" + i, "http://backend-" + i % 40 + ".acme.com/service/" + i);
        }
        int request = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            List<Callable<String>> batch = new ArrayList<>();
            for (int i = 0; i < pace.operations(800); i++) {
                String url = "/service/" + request++ % 3000;
                batch.add(() -> serve(url, routes, pace.isFixed()));
            }
            pool.invokeAll(batch);
            batch = null;
            pace.endOfStep(step);
        }
    }

    private static String serve(String url, Map<String, String> routes, boolean clean) {
        try {
            RequestTrace trace = new RequestTrace(url);
            RequestContext.CURRENT.get().add(trace);
            trace.backend = routes.get(url);
            return trace.backend;
        } finally {
            if (clean) {
                RequestContext.CURRENT.remove();
            }
        }
    }
}

class RequestContext {
    static final ThreadLocal<List<RequestTrace>> CURRENT = ThreadLocal.withInitial(ArrayList::new);
}

class RequestTrace {
    final String url;
    String backend;
    final long[] timings = new long[120];

    RequestTrace(String url) {
        this.url = url;
    }
}
