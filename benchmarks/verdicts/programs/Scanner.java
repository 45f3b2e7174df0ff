package com.acme.scanning;

import com.acme.run.Pace;
import java.util.concurrent.CountDownLatch;

/** A scanner. A finalize() waits for a lock that nobody gives back, and all that has one queues up behind it. */
public class Scanner {
    static final CountDownLatch NEVER = new CountDownLatch(1);

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            long sum = 0;
            for (int i = 0; i < pace.operations(600); i++) {
                sum += new ScannedPage(!pace.isFixed()).pixels.length;
            }
            System.gc();
            if (pace.isFixed()) {
                System.runFinalization();
            }
            pace.endOfStep(step);
        }
    }
}

class ScannedPage {
    final byte[] pixels = new byte[2000];
    private final boolean waits;

    ScannedPage(boolean waits) {
        this.waits = waits;
    }

    @Override
    @SuppressWarnings("removal")
    protected void finalize() throws InterruptedException {
        if (waits) {
            Scanner.NEVER.await();
        }
    }
}
