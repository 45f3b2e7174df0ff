package com.acme.taxes;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Computes taxes. At the third step the tables of a new year are loaded, once, and stay. */
public class Taxes {
    private final Map<Integer, List<Bracket>> years = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Taxes taxes = new Taxes();
        taxes.load(2024, 800);
        long sum = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            if (step == 3) {
                taxes.load(2025, pace.operations(4000));
            }
            for (int i = 0; i < pace.operations(2000); i++) {
                Return filed = new Return(20_000 + i * 11 % 60_000);
                sum += filed.tax(taxes.years.get(step < 3 ? 2024 : 2025));
            }
            pace.endOfStep(step);
        }
        System.out.println(sum);
    }

    private void load(int year, int count) {
        List<Bracket> brackets = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            brackets.add(new Bracket(i * 10));
        }
        years.put(year, brackets);
    }
}

class Bracket {
    final int from;
    final double[] rates = new double[100];

    Bracket(int from) {
        this.from = from;
    }
}

class Return {
    private final int income;

    Return(int income) {
        this.income = income;
    }

    long tax(List<Bracket> brackets) {
        return brackets.isEmpty() ? 0 : (long) (income * (1 + brackets.get(income % brackets.size()).rates[0]));
    }
}
