package org.apache.spark.sql.util;

/** The session itself up to Spark 3.1.1; later ones know it by its id. */
public class ExecutionListenerBus {
    private final Object session;

    public ExecutionListenerBus(Object session) {
        this.session = session;
    }
}
