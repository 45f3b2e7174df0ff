package com.acme.capture;

import com.acme.run.Pace;
import java.nio.ByteBuffer;
import java.util.LinkedList;

/** Packets that are short slices of direct buffers, each of which keeps its whole buffer. */
public class Capture {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(60); i++) {
                ByteBuffer frame = ByteBuffer.allocateDirect(64 * 1024);
                PacketLog.add(new Packet(frame.position(14).slice().limit(60)), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Packet {
    final ByteBuffer payload;

    Packet(ByteBuffer payload) {
        this.payload = payload;
    }
}

class PacketLog {
    private static final LinkedList<Packet> seen = new LinkedList<>();

    static void add(Packet packet, boolean isBounded) {
        seen.add(packet);
        if (isBounded && seen.size() > 20) {
            seen.removeFirst();
        }
    }
}
