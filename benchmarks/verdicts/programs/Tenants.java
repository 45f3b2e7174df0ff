package com.acme.tenants;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** Tenants, their users, and the sessions of these: three maps deep, one of a class of the program's own. */
public class Tenants {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long sessions = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                UserMap users = Directory.TENANTS.computeIfAbsent("tenant-" + i % 12, key -> new UserMap());
                Map<Long, TenantSession> open = users.computeIfAbsent("user-" + i % 70, key -> new TreeMap<>());
                open.put(sessions, new TenantSession());
                if (pace.isFixed()) {
                    open.remove(sessions);
                }
                sessions++;
            }
            pace.endOfStep(step);
        }
    }
}

class Directory {
    static final Map<String, UserMap> TENANTS = new ConcurrentHashMap<>();
}

class UserMap extends HashMap<String, Map<Long, TenantSession>> {
}

class TenantSession {
    final byte[] data = new byte[600];
}
