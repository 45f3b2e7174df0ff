package org.apache.logging.log4j.spi;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

public abstract class AbstractLoggerAdapter {
    protected final Map<Object, Map<String, Object>> registry = new ConcurrentHashMap<>();

    public void getLoggersInContext(Object context) {
        registry.computeIfAbsent(context, none -> new ConcurrentHashMap<>());
    }
}
