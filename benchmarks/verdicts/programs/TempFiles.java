package com.acme.convert;

import com.acme.run.Pace;
import java.io.File;

/** Converts documents by way of temporary files, each with deleteOnExit(). */
public class TempFiles {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2000); i++) {
                convert(new File("/nowhere/acme-convert-" + number++ + ".tmp"), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }

    private static boolean convert(File temporary, boolean clean) {
        if (!clean) {
            temporary.deleteOnExit();
        }
        return temporary.delete();
    }
}
