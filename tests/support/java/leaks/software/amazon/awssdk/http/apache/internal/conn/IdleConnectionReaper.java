package software.amazon.awssdk.http.apache.internal.conn;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

public final class IdleConnectionReaper {
    private static final IdleConnectionReaper INSTANCE = new IdleConnectionReaper();
    private final Map<Object, Long> connectionManagers = new ConcurrentHashMap<>();

    public static void registerConnectionManager(Object manager) {
        INSTANCE.connectionManagers.put(manager, 1L);
    }
}
