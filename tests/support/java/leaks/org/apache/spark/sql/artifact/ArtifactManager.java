package org.apache.spark.sql.artifact;

import java.lang.ref.Cleaner;
import java.net.URL;
import java.net.URLClassLoader;

public class ArtifactManager {
    private static final Cleaner cleaner = Cleaner.create();
    private Object cachedClassLoader;
    private final byte[] session = new byte[100];

    /** What to clean up captures this, as in Spark 4.0.1. */
    public ArtifactManager captured() {
        cleaner.register(this, () -> System.identityHashCode(session));
        return this;
    }

    /** It does not, as in Spark 4.0.2. */
    public ArtifactManager free() {
        byte[] state = new byte[10];
        cleaner.register(this, () -> System.identityHashCode(state));
        return this;
    }

    public ArtifactManager withLoader() {
        cachedClassLoader = new URLClassLoader(new URL[0], null);
        return this;
    }
}
