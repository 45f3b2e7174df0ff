package com.acme.poll;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** Polls a device. What it saw is kept in a list that only a local variable of main holds. */
public class Poller {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        List<Reading> seen = new ArrayList<>();
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                seen.add(new Reading(i * 3));
                if (pace.isFixed()) {
                    seen.clear();
                }
            }
            pace.endOfStep(step);
        }
        System.out.println(seen.size());
    }
}

class Reading {
    final int value;
    final byte[] frame = new byte[600];

    Reading(int value) {
        this.value = value;
    }
}
