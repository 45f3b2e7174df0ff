package com.acme.tickets;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A ticket desk. Each request pushes its scope onto its thread's diagnostic context, and one path forgets to pop it. */
public class Tickets {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        ExecutorService desk = Executors.newFixedThreadPool(4, task -> {
            Thread thread = new Thread(task, "desk");
            thread.setDaemon(true);
            return thread;
        });
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                String ticket = "ticket " + step + "-" + i;
                desk.submit(() -> {
                    Diagnostics.push(ticket);
                    if (pace.isFixed()) {
                        Diagnostics.pop();
                    }
                }).get();
            }
            pace.endOfStep(step);
        }
    }
}

class Diagnostics {
    private static final ThreadLocal<Deque<Scope>> CONTEXT = new InheritableThreadLocal<>() {
        @Override
        protected Deque<Scope> initialValue() {
            return new ArrayDeque<>();
        }
    };

    static void push(String ticket) {
        CONTEXT.get().push(new Scope(ticket));
    }

    static void pop() {
        CONTEXT.get().pop();
    }
}

class Scope {
    final String ticket;
    final byte[] snapshot = new byte[700];

    Scope(String ticket) {
        this.ticket = ticket;
    }
}
