package io.netty.util;

import java.util.concurrent.atomic.AtomicInteger;

public abstract class Recycler {
    public static class WeakOrderQueue {
        private Link head;

        public void add() {
            Link made = new Link();
            made.next = head;
            head = made;
        }

        static final class Link extends AtomicInteger {
            private int readIndex;
            private Link next;
        }
    }
}
