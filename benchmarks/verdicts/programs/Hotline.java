package com.acme.hotline;

import com.acme.run.Pace;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** A hotline. Each call adds a handler to the logger, so that its lines are kept with it, and does not take it away. */
public class Hotline {
    private static final Logger LOG = Logger.getLogger("com.acme.hotline");

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(150); i++) {
                CallLog log = new CallLog("call " + step + "-" + i);
                LOG.addHandler(log);
                if (pace.isFixed()) {
                    LOG.removeHandler(log);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class CallLog extends Handler {
    final String call;
    final StringBuilder lines = new StringBuilder("x".repeat(2000));

    CallLog(String call) {
        this.call = call;
    }

    @Override
    public void publish(LogRecord record) {
        lines.append(record.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
}
