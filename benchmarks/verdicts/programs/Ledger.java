package com.acme.ledger;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;

/** A ledger. Its journal is a linked list that is written to the archive, and never cut. */
public class Ledger {
    private static final Journal JOURNAL = new Journal();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Map<String, long[]> balances = new HashMap<>();
        for (int i = 0; i < 500; i++) {
            balances.put("account-" + i, new long[160]);
        }
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(1500); i++) {
                long[] balance = balances.get("account-" + number % 500);
                balance[0] += 100;
                JOURNAL.append(new Posting(++number, balance[0]));
            }
            JOURNAL.archive(pace.isFixed());
            pace.endOfStep(step);
        }
    }
}

class Posting {
    final long number;
    final long balance;
    final byte[] signature = new byte[512];
    Posting next;

    Posting(long number, long balance) {
        this.number = number;
        this.balance = balance;
    }
}

class Journal {
    private Posting first;
    private Posting last;
    private Posting archivedUpTo;

    void append(Posting posting) {
        if (last == null) {
            first = posting;
        } else {
            last.next = posting;
        }
        last = posting;
    }

    void archive(boolean cut) {
        archivedUpTo = last;
        if (cut) {
            first = last;
        }
    }
}
