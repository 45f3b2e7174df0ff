import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * Grows in the ways that its first argument names (heap+direct), a little for each line "grow" of standard input; other
 * lines have it at work only. Prints "ready", and "grown" after each step. The word "collect" has the whole heap collected at every fifth step.
 * Every step allocates some garbage, as programs do.
 */
public class Watched {
    static final List<Object> KEPT = new ArrayList<>();
    static volatile Object sink;
    static int steps;

    public static class Loaded {
        static final byte[] BYTES = new byte[16];
    }

    static class Loader extends ClassLoader {
        private final byte[] code;

        Loader(byte[] code) {
            super(null);
            this.code = code;
        }

        Class<?> load(String name) {
            return defineClass(name, code, 0, code.length);
        }
    }

    static byte[] code(String name) throws Exception {
        return Watched.class.getResourceAsStream(name + ".class").readAllBytes();
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            step(arguments[0], line.equals("grow"));
            System.out.println("grown");
        }
    }

    /** One step: garbage and collections always, growth only where asked for. */
    public static void step(String kinds, boolean grows) throws Exception {
        steps++;
        for (int i = 0; i < 1_000; i++) sink = new byte[1000];
        for (String kind : kinds.split("\\+")) {
            if (kind.equals("collect")) {
                if (steps % 5 == 0) System.gc();
            } else if (grows) {
                grow(kind);
            }
        }
    }

    static void grow(String kind) throws Exception {
        switch (kind) {
            case "heap":
                for (int i = 0; i < 1_500; i++) KEPT.add(new byte[1000]);
                break;
            case "garbage":
                for (int i = 0; i < 4_000; i++) sink = new byte[1000];
                break;
            case "classes":
                for (int i = 0; i < 60; i++) {
                    Class<?> loaded = new Loader(code("Watched$Loaded")).load("Watched$Loaded");
                    KEPT.add(loaded.getDeclaredConstructor().newInstance());
                }
                break;
            case "metaspace": // classes of one loader
                for (int i = 0; i < 150; i++) {
                    KEPT.add(MethodHandles.lookup().defineHiddenClass(
                            code("Watched$Loaded"), true, MethodHandles.Lookup.ClassOption.STRONG));
                }
                break;
            case "code": // compiled methods: a hundred of kilobytes each
                Class<?> compiled = new Loader(code("Compiled")).load("Compiled");
                compiled.getMethod("run").invoke(null);
                KEPT.add(compiled);
                break;
            case "files":
                Path file = Files.createTempFile("watched", null);
                try (FileChannel channel = FileChannel.open(
                        file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
                    KEPT.add(channel.map(FileChannel.MapMode.READ_WRITE, 0, 3 << 19).put(new byte[3 << 19]));
                }
                break;
            case "direct":
                KEPT.add(ByteBuffer.allocateDirect(3 << 19));
                break;
            case "unsafe":
                Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
                field.setAccessible(true);
                sun.misc.Unsafe unsafe = (sun.misc.Unsafe) field.get(null);
                for (int i = 0; i < 1_500; i++) unsafe.setMemory(unsafe.allocateMemory(1000), 1000, (byte) 1);
                break;
            case "threads":
                for (int i = 0; i < 8; i++) {
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
