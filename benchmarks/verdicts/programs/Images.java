package com.acme.image;

import com.acme.run.Pace;
import java.lang.ref.Cleaner;

/** Decodes images. The cleaning action refers to the image itself, so it never becomes unreachable. */
public class Images {
    private static final Cleaner CLEANER = Cleaner.create();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(400); i++) {
                DecodedImage image = new DecodedImage(i);
                Runnable release = pace.isFixed() ? new Release(i) : image::release;
                Cleaner.Cleanable cleanable = CLEANER.register(image, release);
                if (pace.isFixed()) {
                    cleanable.clean();
                }
            }
            pace.endOfStep(step);
        }
        System.exit(0);
    }
}

class DecodedImage {
    final int handle;
    final int[] pixels = new int[400];

    DecodedImage(int handle) {
        this.handle = handle;
    }

    void release() {
        pixels[0] = -handle;
    }
}

class Release implements Runnable {
    final int handle;

    Release(int handle) {
        this.handle = handle;
    }

    @Override
    public void run() {}
}
