package com.acme.api;

import com.acme.run.Pace;
import java.util.concurrent.CompletableFuture;

/** A server whose requests wait for a future that never completes: each adds a stage to it. */
public class Api {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                Startup.onReady(new Request("/orders/" + number++), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Request {
    final String path;
    final byte[] body = new byte[1000];

    Request(String path) {
        this.path = path;
    }

    void answer(String state) {
        body[0] = (byte) state.length();
    }
}

class Startup {
    private static final CompletableFuture<String> ready = new CompletableFuture<>();
    private static final long[][] probes = new long[40][1000];

    static void onReady(Request request, boolean isKnown) {
        probes[request.path.length()][0]++;
        if (isKnown) {
            request.answer("up");
        } else {
            ready.thenAccept(request::answer);
        }
    }
}
