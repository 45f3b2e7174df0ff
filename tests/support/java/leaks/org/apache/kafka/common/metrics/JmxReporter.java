package org.apache.kafka.common.metrics;

import java.util.HashMap;
import java.util.Map;

public class JmxReporter {
    private final Map<String, KafkaMbean> mbeans = new HashMap<>();

    public void add(String name, boolean isEmpty) {
        KafkaMbean made = mbeans.computeIfAbsent(name, none -> new KafkaMbean());
        if (!isEmpty) {
            made.metrics.put("rate", 1);
        }
    }

    private static class KafkaMbean {
        private final Map<String, Object> metrics = new HashMap<>();
    }
}
