package com.zaxxer.hikari.pool;

public class HikariPool {
    public volatile int poolState;
    private final byte[] connectionBag = new byte[64];
}
