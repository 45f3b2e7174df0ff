package com.acme.archive;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.zip.Deflater;

/** Packs letters. Its pool takes every Deflater back, and hands none of them out again. */
public class Archiver {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        DeflaterPool pool = new DeflaterPool(pace.isFixed());
        byte[] packed = new byte[4096];
        long bytes = 0;
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(150); i++) {
                Deflater deflater = pool.take();
                deflater.setInput(("Dear customer " + number++).getBytes());
                deflater.finish();
                bytes += deflater.deflate(packed);
                deflater.reset();
                pool.giveBack(deflater);
            }
            pace.endOfStep(step);
        }
        System.out.println(bytes);
    }
}

class DeflaterPool {
    private final Deque<Deflater> idle = new ArrayDeque<>();
    private final boolean reuses;

    DeflaterPool(boolean reuses) {
        this.reuses = reuses;
    }

    Deflater take() {
        return reuses && !idle.isEmpty() ? idle.removeFirst() : new Deflater(Deflater.BEST_SPEED);
    }

    void giveBack(Deflater deflater) {
        idle.addLast(deflater);
    }
}
