package com.acme.ticket;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/** A ticket shop in the morning: ever more visitors are there at a time, and past the peak ever fewer. */
public class DayCurve {
    private static final Map<Integer, Visit> VISITS = new HashMap<>();
    private static final ArrayDeque<Integer> ORDER = new ArrayDeque<>();
    private static final int[] AT_A_TIME = {400, 900, 1500, 1900, 2000, 1700, 1300, 800};

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(3000); i++) {
                VISITS.put(number, new Visit());
                ORDER.addLast(number++);
                while (ORDER.size() > AT_A_TIME[step - 1]) {
                    VISITS.remove(ORDER.removeFirst());
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Visit {
    final byte[] basket = new byte[1200];
}
