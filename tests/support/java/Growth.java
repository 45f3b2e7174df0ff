import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** Grows in one way, 10 MB or so for each line of standard input; prints "ready", and "grown" after each step. */
public class Growth {
    static final List<Object> KEPT = new ArrayList<>();
    static volatile Object sink;

    /** Loaded again and again, each time by a loader of its own. */
    public static class Loaded {
        static final byte[] BYTES = new byte[16];
    }

    static class Loader extends ClassLoader {
        private final byte[] code;

        Loader(byte[] code) {
            super(null);
            this.code = code;
        }

        Class<?> load() {
            return defineClass("Growth$Loaded", code, 0, code.length);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String kind = arguments[0];
        System.gc();
        System.out.println("ready");
        while (System.in.read() == '\n') {
            grow(kind);
            System.out.println("grown");
        }
    }

    static void grow(String kind) throws Exception {
        switch (kind) {
            case "heap":
                for (int i = 0; i < 10_000; i++) KEPT.add(new byte[1000]);
                System.gc();
                break;
            case "garbage":
                for (int i = 0; i < 10_000; i++) sink = new byte[1000];
                break;
            case "classes":
                byte[] code = Growth.class.getResourceAsStream("Growth$Loaded.class").readAllBytes();
                for (int i = 0; i < 600; i++) KEPT.add(new Loader(code).load().getDeclaredConstructor().newInstance());
                break;
            case "direct":
                for (int i = 0; i < 10; i++) KEPT.add(ByteBuffer.allocateDirect(1 << 20));
                break;
            case "unsafe":
                Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
                field.setAccessible(true);
                sun.misc.Unsafe unsafe = (sun.misc.Unsafe) field.get(null);
                for (int i = 0; i < 10_000; i++) unsafe.setMemory(unsafe.allocateMemory(1000), 1000, (byte) 1);
                break;
            case "threads":
                for (int i = 0; i < 40; i++) {
                    CountDownLatch started = new CountDownLatch(1);
                    Thread thread = new Thread(() -> {
                        started.countDown();
                        try {
                            Thread.sleep(Long.MAX_VALUE);
                        } catch (InterruptedException done) {
                            // the program ends
                        }
                    });
                    thread.setDaemon(true);
                    thread.start();
                    started.await();
                }
                break;
            default:
                break;
        }
    }
}
