package com.acme.warehouse;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A warehouse. Each connection of the pool keeps the statements that were not closed. */
public class Warehouse {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        ConnectionPool pool = new ConnectionPool(6);
        int next = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                PooledConnection connection = pool.connections[next++ % pool.connections.length];
                OpenStatement statement = connection.prepare("SELECT * FROM item WHERE number = " + next);
                statement.rows[0] = "item " + next;
                if (pace.isFixed()) {
                    statement.close();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class ConnectionPool {
    final PooledConnection[] connections;

    ConnectionPool(int size) {
        connections = new PooledConnection[size];
        for (int i = 0; i < size; i++) {
            connections[i] = new PooledConnection();
        }
    }
}

class PooledConnection {
    private final List<OpenStatement> statements = new ArrayList<>();

    OpenStatement prepare(String sql) {
        OpenStatement statement = new OpenStatement(this, sql);
        statements.add(statement);
        return statement;
    }

    void closed(OpenStatement statement) {
        statements.remove(statement);
    }
}

class OpenStatement {
    private final PooledConnection connection;
    private final String sql;
    final Object[] rows = new Object[150];

    OpenStatement(PooledConnection connection, String sql) {
        this.connection = connection;
        this.sql = sql;
    }

    void close() {
        connection.closed(this);
    }
}
