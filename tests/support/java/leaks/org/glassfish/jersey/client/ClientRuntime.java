package org.glassfish.jersey.client;

public class ClientRuntime {
    private final byte[] config = new byte[64];
}
