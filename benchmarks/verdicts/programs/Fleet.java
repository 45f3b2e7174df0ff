package com.acme.fleet;

import com.acme.run.Pace;
import it.unimi.dsi.fastutil.longs.Long2ObjectOpenHashMap;

/** Follows trucks. The map of positions is of a library, and keeps each position under a new number. */
public class Fleet {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(800); i++) {
                Tracker.Companion.put(++number, new Position(48.1 + i, 11.5));
                if (pace.isFixed()) {
                    Tracker.Companion.remove(number);
                }
            }
            pace.endOfStep(step);
        }
    }
}

/** As Kotlin compiles a class with a companion object. */
class Tracker {
    public static final Companion Companion = new Companion();
    private static final Long2ObjectOpenHashMap<Position> positions = new Long2ObjectOpenHashMap<>();

    static Long2ObjectOpenHashMap<Position> positions() {
        return positions;
    }

    static final class Companion {
        void put(long number, Position position) {
            positions().put(number, position);
        }

        void remove(long number) {
            positions().remove(number);
        }
    }
}

class Position {
    final double latitude;
    final double longitude;
    final long[] course = new long[70];

    Position(double latitude, double longitude) {
        this.latitude = latitude;
        this.longitude = longitude;
    }
}
