package com.acme.library;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;

/** A library's catalogue. Each connection caches what it prepared by its SQL, in which the numbers are written out. */
public class Library {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        DataSource source = new DataSource(5);
        int book = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(700); i++) {
                DbConnection connection = source.borrow();
                String number = pace.isFixed() ? "?" : Integer.toString(++book);
                connection.prepare("SELECT title FROM books WHERE id = " + number).execute();
                source.giveBack(connection);
            }
            pace.endOfStep(step);
        }
    }
}

class DataSource {
    private final ArrayDeque<DbConnection> idle = new ArrayDeque<>();

    DataSource(int size) {
        for (int i = 0; i < size; i++) {
            idle.add(new DbConnection());
        }
    }

    DbConnection borrow() {
        return idle.poll();
    }

    void giveBack(DbConnection connection) {
        idle.add(connection);
    }
}

class DbConnection {
    private final Map<String, Prepared> statementCache = new LinkedHashMap<>();

    Prepared prepare(String sql) {
        return statementCache.computeIfAbsent(sql, key -> new Prepared(this, key));
    }
}

class Prepared {
    private final DbConnection connection;
    private final String sql;
    private final int[] plan = new int[120];
    private long executed;

    Prepared(DbConnection connection, String sql) {
        this.connection = connection;
        this.sql = sql;
    }

    void execute() {
        executed += plan.length;
    }
}
