package com.acme.logs;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** Ships log lines. They gather in a buffer of 10,000 lines, which is packed, sent and emptied when it is full. */
public class Logs {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Shipper shipper = new Shipper();
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(3700); i++) {
                shipper.log(new Line(++number, "GET /service/" + number % 400 + " 200"));
            }
            pace.endOfStep(step);
        }
        System.out.println(shipper.sentBytes);
    }
}

class Line {
    final long number;
    final String text;
    final byte[] fields = new byte[400];

    Line(long number, String text) {
        this.number = number;
        this.text = text;
    }
}

class Shipper {
    private static final int FULL = 10_000;
    private final List<Line> buffer = new ArrayList<>();
    long sentBytes;

    void log(Line line) {
        buffer.add(line);
        if (buffer.size() == FULL) {
            for (Line each : buffer) {
                sentBytes += (each.number + " " + each.text + "\n").getBytes().length;
            }
            buffer.clear();
        }
    }
}
