package com.acme.camera;

import com.acme.run.Pace;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;

/** A camera server: a pool of 64 buffers outside of the Java heap, all of which come back. */
public class Camera {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        BufferPool pool = new BufferPool(64, 96 * 1024);
        long frames = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(3000); i++) {
                ByteBuffer frame = pool.take();
                frame.clear();
                frame.putLong(frames++);
                pool.giveBack(frame);
            }
            pace.endOfStep(step);
        }
    }
}

class BufferPool {
    private final Deque<ByteBuffer> free = new ArrayDeque<>();

    BufferPool(int count, int size) {
        for (int i = 0; i < count; i++) {
            free.add(ByteBuffer.allocateDirect(size));
        }
    }

    ByteBuffer take() {
        return free.removeFirst();
    }

    void giveBack(ByteBuffer buffer) {
        free.addLast(buffer);
    }
}
