package com.acme.archive;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Deflater;

/** Packs letters, and keeps the Deflater of each with what it packed. */
public class Archiver {
    private static final List<Packed> LETTERS = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(150); i++) {
                Packed packed = new Packed("Dear customer " + number++);
                LETTERS.add(packed);
                if (pace.isFixed()) {
                    packed.close();
                }
                if (LETTERS.size() > 1200) {
                    LETTERS.remove(0);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Packed {
    private Deflater deflater = new Deflater(Deflater.BEST_SPEED);
    private final byte[] content = new byte[256];
    private final int length;

    Packed(String letter) {
        deflater.setInput(letter.getBytes());
        deflater.finish();
        length = deflater.deflate(content);
    }

    void close() {
        deflater.end();
        deflater = null;
    }

    int length() {
        return length;
    }
}
