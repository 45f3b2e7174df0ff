package com.amazonaws.http;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

public final class IdleConnectionReaper {
    private static final Map<Object, Long> connectionManagers = new ConcurrentHashMap<>();

    public static void registerConnectionManager(Object manager) {
        connectionManagers.put(manager, 1L);
    }
}
