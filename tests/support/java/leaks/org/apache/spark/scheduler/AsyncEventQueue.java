package org.apache.spark.scheduler;

import java.util.concurrent.CopyOnWriteArrayList;

public class AsyncEventQueue {
    private final CopyOnWriteArrayList<Object> org$apache$spark$util$ListenerBus$$listenersPlusTimers =
            new CopyOnWriteArrayList<>();

    public void addListener(Object listener) {
        org$apache$spark$util$ListenerBus$$listenersPlusTimers.add(listener);
    }
}
