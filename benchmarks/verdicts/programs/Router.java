package com.acme.router;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Routes requests. Keys are records with an array, which are never equal: each route is kept anew. */
public class Router {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(650); i++) {
                RouteKey key = new RouteKey(new byte[] {10, 0, (byte) i, (byte) (i % 9)}, 443);
                Routes.INSTANCE.byKey.computeIfAbsent(key, k -> new Route("10.0." + k.address()[2]));
                if (pace.isFixed()) {
                    Routes.INSTANCE.byKey.remove(key);
                }
            }
            pace.endOfStep(step);
        }
    }
}

record RouteKey(byte[] address, int port) {}

enum Routes {
    INSTANCE;

    final Map<RouteKey, Route> byKey = new ConcurrentHashMap<>();
    final Map<String, String> names = new HashMap<>();
}

class Route {
    final String target;
    final byte[] table = new byte[800];

    Route(String target) {
        this.target = target;
    }
}
