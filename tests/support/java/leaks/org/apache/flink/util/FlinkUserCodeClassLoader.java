package org.apache.flink.util;

import java.net.URL;
import java.net.URLClassLoader;

public abstract class FlinkUserCodeClassLoader extends URLClassLoader {
    protected FlinkUserCodeClassLoader(URL[] jars) {
        super(jars, null);
    }
}
