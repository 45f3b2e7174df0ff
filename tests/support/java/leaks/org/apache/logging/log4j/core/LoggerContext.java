package org.apache.logging.log4j.core;

public class LoggerContext {
    private final byte[] configuration = new byte[64];
}
