package org.apache.flink.util;

import java.net.URL;

public class ChildFirstClassLoader extends FlinkUserCodeClassLoader {
    public ChildFirstClassLoader(URL[] jars) {
        super(jars);
    }
}
