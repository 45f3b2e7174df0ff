package com.acme.audit;

import com.acme.run.Pace;
import java.util.concurrent.ConcurrentSkipListMap;

/** An auditor. Its log is an enum with one constant, and entries that were written to disk stay in it. */
public class Auditor {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(600); i++) {
                AuditLog.INSTANCE.write(new AuditEntry(number++, "login"), pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class AuditEntry {
    final long number;
    final String action;
    final byte[] signature = new byte[900];

    AuditEntry(long number, String action) {
        this.number = number;
        this.action = action + number;
    }
}

enum AuditLog {
    INSTANCE;

    private final ConcurrentSkipListMap<Long, AuditEntry> entries = new ConcurrentSkipListMap<>();
    private final long[][] index = new long[50][1000];

    void write(AuditEntry entry, boolean forget) {
        entries.put(entry.number, entry);
        index[(int) (entry.number % 50)][0]++;
        if (forget) {
            entries.remove(entry.number);
        }
    }
}
