package com.acme.carousel;

import com.acme.run.Pace;

/** Shows advertisements in a ring, each linked with the next; those that ran out are not unlinked. */
public class Carousel {
    private Slide head;

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Carousel carousel = new Carousel();
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(700); i++) {
                carousel.add(new Slide("advertisement " + i));
                if (pace.isFixed()) {
                    carousel.removeNext();
                }
            }
            pace.endOfStep(step);
        }
    }

    void add(Slide slide) {
        if (head == null) {
            head = slide;
            slide.next = slide.previous = slide;
        } else {
            slide.next = head.next;
            slide.previous = head;
            head.next.previous = slide;
            head.next = slide;
        }
    }

    void removeNext() {
        Slide gone = head.next;
        head.next = gone.next;
        gone.next.previous = head;
    }
}

class Slide {
    final String text;
    final byte[] picture = new byte[900];
    Slide next;
    Slide previous;

    Slide(String text) {
        this.text = text;
    }
}
