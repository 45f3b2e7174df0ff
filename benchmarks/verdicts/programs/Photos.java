package com.acme.photos;

import com.acme.run.Pace;
import java.lang.ref.SoftReference;
import java.util.LinkedHashMap;
import java.util.Map;

/** Shows photos. Rendered ones are kept by soft references, which the JVM clears before memory runs out. */
public class Photos {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Renderer renderer = new Renderer();
        long shown = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(60); i++) {
                shown += renderer.show((int) (shown % 100_000)).pixels.length / 28_000;
            }
            pace.endOfStep(step);
        }
    }
}

class Rendered {
    final byte[] pixels = new byte[28_000];
    final int photo;

    Rendered(int photo) {
        this.photo = photo;
    }
}

class Renderer {
    private static final int LIMIT = 1000;
    private final Map<Integer, SoftReference<Rendered>> cache = new LinkedHashMap<>();

    Rendered show(int photo) {
        SoftReference<Rendered> kept = cache.get(photo);
        Rendered rendered = kept == null ? null : kept.get();
        if (rendered == null) {
            rendered = new Rendered(photo);
            cache.put(photo, new SoftReference<>(rendered));
        }
        if (cache.size() > LIMIT) {
            cache.values().removeIf(each -> each.get() == null);
        }
        return rendered;
    }
}
