package com.acme.trading;

import com.acme.run.Pace;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.SynchronousQueue;

/** An exchange. Orders that are filled stay in the book; two threads hold the book's map in local variables. */
public class Exchange {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        SynchronousQueue<Order> toMatch = new SynchronousQueue<>();
        SynchronousQueue<Order> matched = new SynchronousQueue<>();
        Thread matcher = new Thread(() -> match(toMatch, matched), "matcher");
        matcher.setDaemon(true);
        matcher.start();
        Map<Long, Order> open = OrderBook.open;
        Deque<Trade> tape = new ArrayDeque<>();
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                Order order = new Order(++number, "ACME", 100 + (int) (number % 17));
                open.put(order.number, order);
                toMatch.put(order);
                Order filled = matched.take();
                tape.addLast(new Trade(filled.number, filled.price));
                if (tape.size() > 500) {
                    tape.removeFirst();
                }
                if (pace.isFixed()) {
                    open.remove(filled.number);
                }
            }
            pace.endOfStep(step);
        }
    }

    private static void match(SynchronousQueue<Order> orders, SynchronousQueue<Order> matched) {
        Map<Long, Order> book = OrderBook.open;
        try {
            while (true) {
                Order next = orders.take();
                next.isFilled = book.containsKey(next.number);
                matched.put(next);
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }
}

class OrderBook {
    static final Map<Long, Order> open = new ConcurrentHashMap<>();
}

class Order {
    final long number;
    final String paper;
    final int price;
    final long[] history = new long[100];
    boolean isFilled;

    Order(long number, String paper, int price) {
        this.number = number;
        this.paper = paper;
        this.price = price;
    }
}

class Trade {
    final long order;
    final int price;

    Trade(long order, int price) {
        this.order = order;
        this.price = price;
    }
}
