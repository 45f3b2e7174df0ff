package com.acme.chat;

import com.acme.run.Pace;
import java.util.Arrays;

/** A chat server. A connection that closes leaves its place in the table taken. */
public class ChatServer {
    private static final ConnectionTable TABLE = new ConnectionTable();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                Connection connection = new Connection("10.0." + number / 250 % 250 + "." + number++ % 250);
                int slot = TABLE.add(connection);
                connection.receive("hello");
                connection.isOpen = false;
                if (pace.isFixed()) {
                    TABLE.free(slot);
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Connection {
    final String peer;
    final byte[] input = new byte[1024];
    final byte[] output = new byte[1024];
    boolean isOpen = true;

    Connection(String peer) {
        this.peer = peer;
    }

    void receive(String line) {
        System.arraycopy(line.getBytes(), 0, input, 0, line.length());
    }
}

class ConnectionTable {
    private Connection[] slots = new Connection[16];
    private final long[][] traffic = new long[64][1500];
    private int used;

    int add(Connection connection) {
        for (int slot = 0; slot < used && used < 64; slot++) {
            if (slots[slot] == null) {
                slots[slot] = connection;
                return slot;
            }
        }
        if (used == slots.length) {
            slots = Arrays.copyOf(slots, 2 * used);
        }
        slots[used] = connection;
        traffic[used % 64][0]++;
        return used++;
    }

    void free(int slot) {
        slots[slot] = null;
        while (used > 0 && slots[used - 1] == null) {
            used--;
        }
    }
}
