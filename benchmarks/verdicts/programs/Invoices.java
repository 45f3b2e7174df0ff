package com.acme.invoice;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A batch that collects invoices for seven steps and sends them all in the last. */
public class Invoices {
    private static final List<Invoice> waiting = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(600); i++) {
                waiting.add(new Invoice(i));
            }
            if (step == Pace.STEPS) {
                waiting.clear();
            }
            pace.endOfStep(step);
        }
    }
}

class Invoice {
    final int number;
    final byte[] lines = new byte[900];

    Invoice(int number) {
        this.number = number;
    }
}
