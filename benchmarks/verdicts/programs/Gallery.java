package com.acme.gallery;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A gallery. It keeps a thumbnail of every picture that was ever looked at. */
public class Gallery {
    private static final List<Thumbnail> thumbnails = new ArrayList<>();
    private static final List<int[]> palettes = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int i = 0; i < 100; i++) {
            palettes.add(new int[1024]);
        }
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                look(new Picture(number++, 64, 48), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }

    private static void look(Picture picture, boolean limited) {
        thumbnails.add(picture.thumbnail(16, 24));
        if (limited && thumbnails.size() > 60) {
            thumbnails.remove(0);
        }
    }
}

class Picture {
    final int number;
    final int[] pixels;

    Picture(int number, int width, int height) {
        this.number = number;
        pixels = new int[width * height];
    }

    Thumbnail thumbnail(int width, int height) {
        int[] small = new int[width * height];
        for (int i = 0; i < small.length; i++) {
            small[i] = pixels[i * 8];
        }
        return new Thumbnail(number, small, new byte[200]);
    }
}

class Thumbnail {
    final int number;
    final int[] pixels;
    final byte[] profile;

    Thumbnail(int number, int[] pixels, byte[] profile) {
        this.number = number;
        this.pixels = pixels;
        this.profile = profile;
    }
}
