package org.apache.spark.util;

import scala.collection.mutable.HashSet;

/** As Scala 2.12 compiles the object: its fields are those of MODULE$. */
public final class ShutdownHookManager$ {
    public static final ShutdownHookManager$ MODULE$ = new ShutdownHookManager$();
    private final HashSet shutdownDeletePaths = new HashSet();

    public void registerShutdownDeleteDir(String path) {
        shutdownDeletePaths.add(path);
    }
}
