package org.apache.hadoop.metrics2.impl;

import java.util.LinkedHashMap;
import java.util.Map;

public class MetricsSystemImpl {
    public static final MetricsSystemImpl INSTANCE = new MetricsSystemImpl();
    private final Map<String, MetricsSourceAdapter> sources = new LinkedHashMap<>();

    public void register(String name, Object source) {
        sources.put(name, new MetricsSourceAdapter(source));
    }

    static class MetricsSourceAdapter {
        private final Object source;

        MetricsSourceAdapter(Object source) {
            this.source = source;
        }
    }
}
