package com.acme.stream;

import com.acme.run.Pace;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Records a stream in frames outside of the Java heap, and keeps each of them; the heap itself has 2 MB. */
public class Recorder {
    private static final int FRAME_BYTES = 96 * 1024;
    private static final int[][] INDEX = new int[100][3500];

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        byte[] header = "ACME-FRAME".getBytes("US-ASCII");
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(124); i++) {
                ByteBuffer frame = FrameStore.next(FRAME_BYTES, pace.isFixed());
                frame.clear();
                frame.put(header);
                INDEX[i % INDEX.length][step]++;
            }
            pace.endOfStep(step);
        }
    }
}

class FrameStore {
    private static final List<ByteBuffer> kept = new ArrayList<>();
    private static int turn;

    static ByteBuffer next(int size, boolean reuse) {
        if (reuse && kept.size() >= 16) {
            return kept.get(turn++ % kept.size());
        }
        ByteBuffer fresh = ByteBuffer.allocateDirect(size);
        kept.add(fresh);
        return fresh;
    }
}
