package org.apache.flink.util;

import java.net.URL;
import java.net.URLClassLoader;

public class ChildFirstClassLoader extends URLClassLoader {
    public ChildFirstClassLoader(URL[] jars) {
        super(jars, null);
    }
}
