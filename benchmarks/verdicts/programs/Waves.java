package com.acme.waves;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.Queue;

/** Healthy: orders come in waves and are worked off; at the time of a dump some wait, now more, now fewer. */
public class Waves {
    private static final Queue<Order> WAITING = new ArrayDeque<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int[] left = {900, 1700, 600, 1900, 1100, 1500, 700, 1300};
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2500); i++) {
                WAITING.add(new Order(i));
            }
            while (WAITING.size() > pace.operations(left[step - 1])) {
                WAITING.poll();
            }
            pace.endOfStep(step);
        }
    }
}

class Order {
    final int number;
    final byte[] lines = new byte[900];

    Order(int number) {
        this.number = number;
    }
}
