package com.acme.studio;

import com.acme.run.Pace;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;

/** A studio that mixes recordings. Its buffers grow to the longest recording so far, and are used again and again. */
public class Studio {
    private static final ByteArrayOutputStream mix = new ByteArrayOutputStream();
    private static final StringBuilder notes = new StringBuilder();
    private static byte[] tape = new byte[1000];
    private static final byte[][] effects = new byte[40][50_000];

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Random length = new Random(11);
        long written = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(60); i++) {
                int size = 20_000 + length.nextInt(900_000);
                if (tape.length < size) {
                    tape = Arrays.copyOf(tape, size);
                }
                tape[size - 1] = effects[i % effects.length][i];
                mix.reset();
                mix.write(tape, 0, size);
                notes.append("recording of ").append(size).append(" bytes\n".repeat(size / 4000));
                if (notes.length() > 100_000) {
                    written += notes.length();
                    notes.setLength(0);
                }
                written += mix.size();
            }
            pace.endOfStep(step);
        }
        System.out.println(written);
    }
}
