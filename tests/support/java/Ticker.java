import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A heap of so many megabytes, and a thread that serves every 10 ms. Prints "ready"; for each line that it reads
 * it prints the longest time the thread stood still since the last, in milliseconds. With -Dticker.threads=N there are
 * N threads more, which sleep.
 */
public class Ticker {
    static class Node {
        final Node next;
        final byte[] payload = new byte[40];

        Node(Node next, Random random) {
            this.next = next;
            random.nextBytes(payload);
        }
    }

    static final int NODE_BYTES = 24 + 56; // as HotSpot lays them out with compressed references
    static final Node[] lists = new Node[1000];
    static final AtomicLong worst = new AtomicLong();

    public static void main(String[] args) throws Exception {
        Random random = new Random(7);
        long count = Long.parseLong(args[0]) * 1_000_000 / NODE_BYTES;
        for (long i = 0; i < count; i++) {
            int list = (int) (i % lists.length);
            lists[list] = new Node(lists[list], random);
        }
        Thread ticker = new Thread(Ticker::tick, "ticker");
        ticker.setDaemon(true);
        ticker.start();
        for (int i = 0; i < Integer.getInteger("ticker.threads", 0); i++) {
            Thread sleeper = new Thread(Ticker::sleep, "sleeper-" + i);
            sleeper.setDaemon(true);
            sleeper.start();
        }
        System.out.println("ready");
        System.out.flush();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        while (in.readLine() != null) {
            // In one step: a pause may come between two.
            System.out.println(worst.getAndSet(0) / 1000 / 1e3);
            System.out.flush();
        }
    }

    static void sleep() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException e) {
            // it ends
        }
    }

    static void tick() {
        long last = System.nanoTime();
        while (true) {
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                return;
            }
            long now = System.nanoTime();
            worst.accumulateAndGet(now - last - 10_000_000, Math::max);
            last = now;
        }
    }
}
