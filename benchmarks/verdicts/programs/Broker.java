package com.acme.broker;

import com.acme.run.Pace;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** A client of a remote service. An answer that never comes leaves its call in the table of those under way. */
public class Broker {
    private static final Broker INSTANCE = new Broker();
    private final RpcClient client = new RpcClient();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1200); i++) {
                long id = INSTANCE.client.call("quote", new byte[300]);
                if (pace.isFixed() || i % 2 == 0) {
                    INSTANCE.client.answered(id);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class RpcClient {
    private final Map<Long, CompletableFuture<byte[]>> inFlight = new ConcurrentHashMap<>();
    private final AtomicLong ids = new AtomicLong();

    long call(String method, byte[] payload) {
        long id = ids.incrementAndGet();
        RemoteCall call = new RemoteCall(method, payload);
        call.thenAccept(bytes -> call.received = bytes.length);
        inFlight.put(id, call);
        return id;
    }

    void answered(long id) {
        inFlight.remove(id).complete(new byte[10]);
    }
}

class RemoteCall extends CompletableFuture<byte[]> {
    final String method;
    final byte[] payload;
    int received;

    RemoteCall(String method, byte[] payload) {
        this.method = method;
        this.payload = payload;
    }
}
