package com.acme.host;

/** An application, loaded anew for every deployment. */
public class App implements Runnable {
    private static final ThreadLocal<AppContext> CURRENT = new ThreadLocal<>();

    public App() {}

    @Override
    public void run() {
        CURRENT.set(new AppContext());
    }
}

class AppContext {
    final byte[] settings = new byte[5000];
}
