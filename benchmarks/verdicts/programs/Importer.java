package com.acme.imports;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Imports files of records. To meet none twice it remembers the key of each, and of all files together. */
public class Importer {
    private final Set<String> seen = new HashSet<>();
    private final List<Column> columns = new ArrayList<>();
    private long imported;

    Importer() {
        for (int i = 0; i < 120; i++) {
            columns.add(new Column("column" + i));
        }
    }

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Importer importer = new Importer();
        int file = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(20); i++) {
                importer.read(file++, 200);
                if (pace.isFixed()) {
                    importer.seen.clear();
                }
            }
            pace.endOfStep(step);
        }
    }

    private void read(int file, int rows) {
        for (int row = 0; row < rows; row++) {
            String key = "import-" + file + ".csv:" + row + ":" + Long.toHexString((file * 31L + row) * 0x9E3779B97F4A7C15L);
            if (seen.add(key)) {
                columns.get(row % columns.size()).distinct++;
                imported++;
            }
        }
    }
}

class Column {
    final String name;
    final int[] lengths = new int[1000];
    long distinct;

    Column(String name) {
        this.name = name;
    }
}
