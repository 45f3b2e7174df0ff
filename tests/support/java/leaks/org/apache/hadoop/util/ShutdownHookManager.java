package org.apache.hadoop.util;

import java.util.Collections;
import java.util.HashSet;
import java.util.Set;

public final class ShutdownHookManager {
    private static final ShutdownHookManager MGR = new ShutdownHookManager();
    private final Set<HookEntry> hooks = Collections.synchronizedSet(new HashSet<>());

    public static ShutdownHookManager get() {
        return MGR;
    }

    public void addShutdownHook(Runnable hook) {
        hooks.add(new HookEntry(hook));
    }

    static class HookEntry {
        private final Runnable hook;

        HookEntry(Runnable hook) {
            this.hook = hook;
        }
    }
}
