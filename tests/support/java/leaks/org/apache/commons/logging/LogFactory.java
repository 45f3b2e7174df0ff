package org.apache.commons.logging;

import java.util.Hashtable;

public abstract class LogFactory {
    protected static Hashtable<ClassLoader, Object> factories = new Hashtable<>();

    public static void remember(ClassLoader loader) {
        factories.put(loader, new Object());
    }

    public static void release(ClassLoader loader) {
        factories.remove(loader);
    }
}
