package com.acme.ticker;

import com.acme.run.Pace;
import java.util.ArrayDeque;

/** Writes a line per tick. Its garbage lies in a large young generation that is not collected while it is watched. */
public class Ticker {
    private static final ArrayDeque<Tick> last = new ArrayDeque<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2500); i++) {
                last.add(new Tick(i));
                if (last.size() > 50) {
                    last.remove();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Tick {
    final int number;
    final byte[] line = new byte[300];

    Tick(int number) {
        this.number = number;
    }
}
