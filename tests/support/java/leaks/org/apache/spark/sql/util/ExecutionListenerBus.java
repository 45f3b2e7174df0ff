package org.apache.spark.sql.util;

public class ExecutionListenerBus {
    private final byte[] session = new byte[100];
}
