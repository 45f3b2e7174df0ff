package org.apache.hadoop.fs.azurebfs.services;

import java.util.Timer;
import java.util.TimerTask;

public class AbfsClientThrottlingAnalyzer {
    private final Timer timer;

    public AbfsClientThrottlingAnalyzer(String name) {
        timer = new Timer("abfs-timer-client-throttling-analyzer-" + name, true);
        timer.schedule(new TimerTaskImpl(), 100_000, 100_000);
    }

    public void close() {
        timer.cancel();
    }

    class TimerTaskImpl extends TimerTask {
        @Override
        public void run() {}
    }
}
