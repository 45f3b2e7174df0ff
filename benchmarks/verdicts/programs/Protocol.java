package com.acme.protocol;

import com.acme.run.Pace;
import java.io.ByteArrayOutputStream;

/** Writes a protocol of what it does to one buffer in memory, which nobody empties: no number of objects grows. */
public class Protocol {
    private static final ByteArrayOutputStream written = new ByteArrayOutputStream();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(3000); i++) {
                written.write(("2026-01-12 08:00 order " + step + "/" + i + " was packed and sent\n" + "=".repeat(120)).getBytes());
                if (pace.isFixed()) {
                    written.reset();
                }
            }
            pace.endOfStep(step);
        }
    }
}
