import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.Deflater;

/**
 * Little in the heap and much outside of it: 258 direct buffers of 96 KiB in a static list, each with a slice, and
 * deflaters; and, where the JVM has them, 30 virtual threads that wait in one place. Prints "ready".
 */
public class OffHeap {
    static final List<ByteBuffer> frames = new ArrayList<>();
    static final List<ByteBuffer> slices = new ArrayList<>();
    static final List<Deflater> deflaters = new ArrayList<>();
    static final byte[] heap = new byte[2_000_000];

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 258; i++) {
            frames.add(ByteBuffer.allocateDirect(96 * 1024));
            slices.add(frames.get(i).slice());
        }
        for (int i = 0; i < 20; i++) {
            deflaters.add(new Deflater());
        }
        deflaters.get(0).end();
        if (args.length > 0) {
            Method start = Thread.class.getMethod("startVirtualThread", Runnable.class); // JDK 21
            CountDownLatch started = new CountDownLatch(30);
            for (int i = 0; i < 30; i++) {
                start.invoke(null, (Runnable) () -> waitForever(started));
            }
            started.await();
        }
        System.out.println("ready");
        System.in.read();
    }

    static void waitForever(CountDownLatch started) {
        byte[] mine = new byte[5000];
        started.countDown();
        while (mine.length > 0) {
            LockSupport.park();
        }
    }
}
