package com.acme.run;

import java.io.IOException;

/**
 * Paces a program by operations: eight steps, after each of which it says so and waits for a line.
 * The first argument is "leak", "fixed" (the cure is in) or "idle" (starts, and does nothing).
 */
public final class Pace {
    public static final int STEPS = 8;
    private final String mode;

    public Pace(String[] arguments) {
        mode = arguments.length > 0 ? arguments[0] : "leak";
    }

    public boolean isFixed() {
        return mode.equals("fixed");
    }

    public int operations(int perStep) {
        return mode.equals("idle") ? 0 : perStep;
    }

    public void endOfStep(int step) throws IOException {
        System.out.println("step " + step + " done");
        System.out.flush();
        int next;
        do {
            next = System.in.read();
        } while (next >= 0 && next != '\n');
        if (next < 0) {
            System.exit(0);
        }
    }
}
