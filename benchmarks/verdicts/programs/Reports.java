package com.acme.report;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** Makes reports. The history keeps the first rows of each, as a subList() that holds the whole report. */
public class Reports {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(20); i++) {
                List<ReportRow> rows = new ArrayList<>();
                for (int row = 0; row < 400; row++) {
                    rows.add(new ReportRow(row, row * 17L));
                }
                List<ReportRow> first = rows.subList(0, 3);
                History.previews.add(pace.isFixed() ? List.of(rows.get(0).total, rows.get(1).total) : first);
            }
            pace.endOfStep(step);
        }
    }
}

class History {
    static final List<Object> previews = new ArrayList<>();
}

class ReportRow {
    final int number;
    final Long total;
    final byte[] cells = new byte[160];

    ReportRow(int number, long total) {
        this.number = number;
        this.total = total;
    }
}
