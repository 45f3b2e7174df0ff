package com.acme.relay;

import com.acme.run.Pace;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** A relay. Each link has an arena of direct buffers, which takes back a buffer and makes a new one all the same. */
public class Relay {
    private final List<Link> links = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Relay relay = new Relay();
        for (int i = 0; i < 5; i++) {
            relay.links.add(new Link());
        }
        int next = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(60); i++) {
                relay.links.get(next++ % 5).send(pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Link {
    private final Arena arena = new Arena();

    void send(boolean reuse) {
        Frame frame = arena.take(reuse);
        frame.bytes.put(0, (byte) 1);
        arena.giveBack(frame);
    }
}

class Arena {
    private final ArrayDeque<Frame> free = new ArrayDeque<>();

    Frame take(boolean reuse) {
        Frame frame = reuse ? free.poll() : null;
        return frame == null ? new Frame() : frame;
    }

    void giveBack(Frame frame) {
        free.add(frame);
    }
}

class Frame {
    final ByteBuffer bytes = ByteBuffer.allocateDirect(64 << 10).slice();
}
