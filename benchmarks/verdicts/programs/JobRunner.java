package com.acme.jobs;

import com.acme.run.Pace;

/** Runs jobs, each with a shutdown hook that would end it, and does not take the hook back. */
public class JobRunner {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(40); i++) {
                Job job = new Job(number++);
                Thread hook = new Thread(job::stop);
                Runtime.getRuntime().addShutdownHook(hook);
                job.work();
                if (pace.isFixed()) {
                    Runtime.getRuntime().removeShutdownHook(hook);
                }
            }
            pace.endOfStep(step);
        }
        Runtime.getRuntime().halt(0);
    }
}

class Job {
    private final int number;
    private final long[] results = new long[2000];

    Job(int number) {
        this.number = number;
    }

    void work() {
        results[number % results.length]++;
    }

    void stop() {
        results[0] = -1;
    }
}
