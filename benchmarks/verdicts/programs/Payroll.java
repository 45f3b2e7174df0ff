package com.acme.payroll;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** A batch with phases: rest, read, compute, write; in eight steps two jobs of different size. */
public class Payroll {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Job job = new Job();
        int[] employees = {0, 2500, 2500, 0, 0, 2200, 1900, 0};
        for (int step = 1; step <= Pace.STEPS; step++) {
            int count = pace.operations(employees[step - 1]);
            for (int i = 0; i < count; i++) {
                job.read(step * 10_000 + i);
            }
            if (count == 0) {
                job.write();
            }
            pace.endOfStep(step);
        }
    }
}

class Payslip {
    final int employee;
    final long[] cents = new long[90];

    Payslip(int employee) {
        this.employee = employee;
        for (int month = 0; month < 12; month++) {
            cents[month] = 100_00L + employee % 4000;
        }
    }
}

class Job {
    private final List<Payslip> payslips = new ArrayList<>();
    private final TreeMap<String, Long> sums = new TreeMap<>();

    void read(int employee) {
        payslips.add(new Payslip(employee));
    }

    void write() {
        for (Payslip each : payslips) {
            sums.merge("department " + each.employee % 40, each.cents[0], Long::sum);
        }
        payslips.clear();
    }
}
