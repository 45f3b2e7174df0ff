package org.apache.hadoop.conf;

import java.util.Collections;
import java.util.Map;
import java.util.Properties;
import java.util.WeakHashMap;

public class Configuration {
    public static final Map<ClassLoader, Map<String, Object>> CACHE_CLASSES =
            Collections.synchronizedMap(new WeakHashMap<>());
    private final Properties properties = new Properties();
    private final Properties overlay = new Properties();

    public void set(String name, String value) {
        properties.setProperty(name, value);
        overlay.setProperty(name, value);
    }
}
