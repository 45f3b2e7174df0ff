package com.acme.fax;

import com.acme.run.Pace;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Sends faxes. Each job makes an executor of its own, and nobody shuts it down: its thread waits for ever. */
public class FaxServer {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(25); i++) {
                FaxJob job = new FaxJob("fax-" + step + "-" + i);
                job.send();
                if (pace.isFixed()) {
                    job.close();
                }
            }
            pace.endOfStep(step);
        }
        System.exit(0);
    }
}

class FaxJob {
    private final String number;
    private final byte[] page = new byte[20_000];
    private final ExecutorService sender = Executors.newFixedThreadPool(1, work -> {
        Thread thread = new Thread(work, "fax " + FaxJob.this.number);
        thread.setDaemon(true);
        return thread;
    });

    FaxJob(String number) {
        this.number = number;
    }

    void send() throws Exception {
        sender.submit(() -> page[0] = 1).get();
    }

    void close() throws Exception {
        sender.shutdown();
        sender.awaitTermination(10, java.util.concurrent.TimeUnit.SECONDS);
    }
}
