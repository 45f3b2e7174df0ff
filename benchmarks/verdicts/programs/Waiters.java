package com.acme.payment;

import com.acme.run.Pace;
import java.util.concurrent.locks.LockSupport;

/** A thread for each payment, which waits for an answer that never comes. */
public class Waiters {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int payments = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(20); i++) {
                PaymentWaiter waiter = new PaymentWaiter();
                Thread thread = new Thread(waiter, "payment-" + payments++);
                thread.setDaemon(true);
                thread.start();
                if (pace.isFixed()) {
                    waiter.isDone = true;
                    thread.join();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class PaymentWaiter implements Runnable {
    final byte[] answer = new byte[20_000];
    volatile boolean isDone;

    @Override
    public void run() {
        while (!isDone) {
            LockSupport.parkNanos(50_000_000);
        }
    }
}
