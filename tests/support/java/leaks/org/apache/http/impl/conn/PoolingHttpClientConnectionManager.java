package org.apache.http.impl.conn;

public class PoolingHttpClientConnectionManager {
    private final byte[] pool = new byte[64];
}
