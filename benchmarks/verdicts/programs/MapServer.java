package com.acme.geo;

import com.acme.run.Pace;
import java.util.LinkedHashMap;
import java.util.Map;

/** A map server. Its cache of tiles compares a number of entries with a limit in bytes. */
public class MapServer {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        TileCache cache = new TileCache(pace.isFixed() ? 100 : 4 << 20);
        Style[] styles = new Style[700];
        for (int i = 0; i < styles.length; i++) {
            styles[i] = new Style(i);
        }
        long tile = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(600); i++) {
                cache.render(tile, styles[(int) (tile++ % styles.length)]);
            }
            pace.endOfStep(step);
        }
    }
}

class Style {
    final int zoom;
    final float[] colours = new float[200];

    Style(int zoom) {
        this.zoom = zoom;
    }
}

class Tile {
    final long key;
    final byte[] png = new byte[1500];

    Tile(long key, Style style) {
        this.key = key;
        png[0] = (byte) style.zoom;
    }
}

class TileCache {
    private final int limit;
    private final Map<Long, Tile> tiles =
        new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Long, Tile> eldest) {
                return size() > limit;
            }
        };

    TileCache(int limit) {
        this.limit = limit;
    }

    Tile render(long key, Style style) {
        return tiles.computeIfAbsent(key, absent -> new Tile(absent, style));
    }
}
