package com.acme.editor;

import com.acme.run.Pace;
import java.util.Map;
import java.util.WeakHashMap;

/** An editor. Styles are kept by their document, weakly; documents come and go. */
public class Editor {
    private static final Map<Object, Style> STYLES = new WeakHashMap<>();
    private static final Object[] OPEN = new Object[60];

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            int open = 20 + step * 17 % 40;
            for (int i = 0; i < pace.operations(800); i++) {
                Object document = new Object();
                OPEN[number++ % OPEN.length] = number % OPEN.length < open ? document : null;
                STYLES.put(document, new Style());
            }
            pace.endOfStep(step);
        }
    }
}

class Style {
    final byte[] font = new byte[4000];
}
