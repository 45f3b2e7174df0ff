package com.acme.trail;

import com.acme.run.Pace;

/** Healthy: an audit trail in a ring of fixed size, which is full after three steps. */
public class Trail {
    private static final Ring RING = new Ring(2400);

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(800); i++) {
                RING.add(new Trace("user-" + i));
            }
            pace.endOfStep(step);
        }
    }
}

class Ring {
    private final Trace[] slots;
    private int next;

    Ring(int size) {
        slots = new Trace[size];
    }

    void add(Trace trace) {
        slots[next++ % slots.length] = trace;
    }
}

class Trace {
    final String user;
    final byte[] detail = new byte[1200];

    Trace(String user) {
        this.user = user;
    }
}
