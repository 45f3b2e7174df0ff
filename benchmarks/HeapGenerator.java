import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.lang.reflect.Constructor;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/**
 * Fills a heap with everything a heap-dump reader meets, deterministically.
 *
 * <p>At {@code --scale 1} a live dump has about 33 million objects, 75 million references
 * (counting each object's reference to its class) and 2 GB; all but the classes, loaders and
 * class names grow linearly with the scale. The content depends on the scale alone: one seed, one
 * building thread, and only keys whose hash is their value's.
 *
 * <p>Usage: {@code java HeapGenerator [--scale X] [--dump FILE]}. Without {@code --dump} it prints
 * "ready" and stays until its standard input ends, for jcmd to take dumps and class histograms;
 * with it, it dumps its live objects to FILE and exits. Java 11 or newer.
 */
public final class HeapGenerator {
    /** Loaders that each define the whole Layer hierarchy again: 200 x 8 classes + 200 proxies. */
    private static final int LOADERS = 200;

    private static final int THREADS = 64;
    private static final int FRAMES = 24;

    /** Everything built here stays reachable from this one static field. */
    static final List<Object> ROOTS = new ArrayList<>();

    private final double scale;
    private final SplittableRandom random = new SplittableRandom(20190101);

    private HeapGenerator(double scale) {
        this.scale = scale;
    }

    public static void main(String[] arguments) throws Exception {
        double scale = 1;
        String dump = null;
        for (int i = 0; i < arguments.length; i += 2) {
            if (i + 1 < arguments.length && arguments[i].equals("--scale")) {
                scale = Double.parseDouble(arguments[i + 1]);
            } else if (i + 1 < arguments.length && arguments[i].equals("--dump")) {
                dump = arguments[i + 1];
            } else {
                System.err.println("usage: HeapGenerator [--scale X] [--dump FILE]");
                System.exit(2);
            }
        }
        new HeapGenerator(scale).build();
        if (dump != null) {
            ManagementFactory.getPlatformMXBean(com.sun.management.HotSpotDiagnosticMXBean.class)
                    .dumpHeap(dump, true);
            return; // the threads are daemons
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {
            // jcmd works meanwhile
        }
    }

    private void build() throws Exception {
        ROOTS.add(hashMap(count(1_200_000)));
        ROOTS.add(smallMaps(count(100_000)));
        ROOTS.add(concurrentMap(count(1_700_000)));
        ROOTS.add(treeMap(count(1_200_000)));
        ROOTS.add(linkedMap(count(500_000)));
        ROOTS.add(duplicateStrings(count(1_100_000)));
        ROOTS.add(sharedStrings(count(500_000)));
        ROOTS.add(messages(count(1_000_000)));
        ROOTS.add(primitiveArrays(count(66_000)));
        ROOTS.add(largeArrays(count(1_500_000)));
        Object[] boxed = boxedValues(count(2_000_000));
        ROOTS.add(boxed);
        ROOTS.add(objectArrays(count(120_000), boxed));
        ROOTS.add(arrayLists(count(350_000), boxed));
        ROOTS.add(linkedLists(count(150_000), boxed));
        ROOTS.add(chain(count(750_000)));
        ROOTS.add(graph(count(2_000_000), boxed));
        ROOTS.add(references(count(200_000), boxed));
        ROOTS.add(finalizable(count(20_000)));
        ROOTS.add(loaders(count(500_000)));
        ROOTS.add(threads(boxed));
    }

    private int count(int atScaleOne) {
        return (int) Math.max(1, Math.round(atScaleOne * scale));
    }

    // -- maps ---------------------------------------------------------------------------------

    private Map<String, Integer> hashMap(int entries) {
        Map<String, Integer> map = new HashMap<>();
        for (int i = 0; i < entries; i++) {
            map.put("key-" + i, 1_000_000 + i);
        }
        return map;
    }

    private List<Map<String, Integer>> smallMaps(int maps) {
        List<Map<String, Integer>> all = new ArrayList<>(maps);
        for (int i = 0; i < maps; i++) {
            Map<String, Integer> map = new HashMap<>();
            for (int j = 0; j < 8; j++) {
                map.put("field-" + i + "." + j, 1_000_000 + random.nextInt(1 << 20));
            }
            all.add(map);
        }
        return all;
    }

    private Map<Long, Double> concurrentMap(int entries) {
        Map<Long, Double> map = new ConcurrentHashMap<>();
        while (map.size() < entries) {
            map.put(random.nextLong(), random.nextDouble());
        }
        return map;
    }

    private TreeMap<Integer, String> treeMap(int entries) {
        TreeMap<Integer, String> map = new TreeMap<>();
        while (map.size() < entries) {
            int key = random.nextInt();
            map.put(key, Integer.toHexString(key));
        }
        return map;
    }

    private Map<Integer, Integer> linkedMap(int entries) {
        Map<Integer, Integer> map = new LinkedHashMap<>();
        for (int i = 0; i < entries; i++) {
            map.put(1_000 + i, 1_000 + random.nextInt(1 << 30));
        }
        return map;
    }

    // -- strings ------------------------------------------------------------------------------

    /** One thousand texts, each many times, every copy with its own bytes. */
    private String[] duplicateStrings(int strings) {
        String[] all = new String[strings];
        for (int i = 0; i < strings; i++) {
            all[i] = "status-" + random.nextInt(1_000);
        }
        return all;
    }

    /** Strings that share the array of another one, as {@code new String(String)} makes them. */
    @SuppressWarnings("StringOperationCanBeSimplified")
    private String[] sharedStrings(int strings) {
        String[] all = new String[strings];
        String first = "";
        for (int i = 0; i < strings; i++) {
            if (i % 10 == 0) {
                first = "shared-" + i;
                all[i] = first;
            } else {
                all[i] = new String(first);
            }
        }
        return all;
    }

    /** Longer texts; one in sixteen is stored as UTF-16. */
    private List<String> messages(int strings) {
        List<String> all = new ArrayList<>(strings);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < strings; i++) {
            text.setLength(0);
            text.append("INFO request ").append(i).append(i % 16 == 0 ? " \u2713 " : " ok ");
            int words = 4 + random.nextInt(72);
            for (int j = 0; j < words; j++) {
                text.append(Integer.toString(random.nextInt(1 << 20), 36)).append(' ');
            }
            all.add(text.toString());
        }
        return all;
    }

    // -- arrays and boxes ---------------------------------------------------------------------

    /** Arrays of all eight primitive types, 0 to 127 elements. */
    private Object[] primitiveArrays(int ofEach) {
        Object[] all = new Object[8 * ofEach];
        for (int i = 0; i < all.length; i++) {
            int length = random.nextInt(128);
            switch (i % 8) {
                case 0: all[i] = new boolean[length]; break;
                case 1: all[i] = new char[length]; break;
                case 2: all[i] = new float[length]; break;
                case 3: all[i] = new double[length]; break;
                case 4: all[i] = filled(new byte[length]); break;
                case 5: all[i] = new short[length]; break;
                case 6: all[i] = new int[length]; break;
                default: all[i] = new long[length]; break;
            }
        }
        return all;
    }

    private byte[] filled(byte[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) random.nextInt(256);
        }
        return bytes;
    }

    /** A few arrays far larger than a region of the collector: humongous objects. */
    private Object[] largeArrays(int elements) {
        int[] numbers = new int[8 * elements];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = random.nextInt(1 << 12);
        }
        return new Object[] {numbers, filled(new byte[16 * elements]), new double[4 * elements],
            new long[elements], new Object[4 * elements], new int[2][3][4]};
    }

    @SuppressWarnings({"deprecation", "removal"}) // the constructors never share an object, valueOf does
    private Object[] boxedValues(int values) {
        Object[] all = new Object[values];
        for (int i = 0; i < values; i++) {
            switch (i % 8) {
                case 0: all[i] = new Boolean(i % 16 == 0); break;
                case 1: all[i] = new Character((char) i); break;
                case 2: all[i] = new Float(i); break;
                case 3: all[i] = new Double(i); break;
                case 4: all[i] = new Byte((byte) i); break;
                case 5: all[i] = new Short((short) i); break;
                case 6: all[i] = new Integer(i); break;
                default: all[i] = new Long(i); break;
            }
        }
        return all;
    }

    private Object[][] objectArrays(int arrays, Object[] pool) {
        Object[][] all = new Object[arrays][];
        for (int i = 0; i < arrays; i++) {
            Object[] array = i % 4 == 0 ? new Number[random.nextInt(32)] : new Object[random.nextInt(32)];
            for (int j = 0; j < array.length; j++) {
                int index = random.nextInt(pool.length);
                array[j] = i % 4 == 0 ? pool[index | 3] : pool[index]; // 3 and 7 of 8 are numbers
            }
            all[i] = array;
        }
        return all;
    }

    // -- lists and graphs ---------------------------------------------------------------------

    private List<List<Object>> arrayLists(int lists, Object[] pool) {
        List<List<Object>> all = new ArrayList<>(lists);
        for (int i = 0; i < lists; i++) {
            List<Object> list = new ArrayList<>(i % 3 == 0 ? 4 : 10);
            for (int j = 0; j < 4; j++) {
                list.add(pool[random.nextInt(pool.length)]);
            }
            all.add(list);
        }
        return all;
    }

    private List<List<Object>> linkedLists(int lists, Object[] pool) {
        List<List<Object>> all = new ArrayList<>(lists);
        for (int i = 0; i < lists; i++) {
            List<Object> list = new LinkedList<>();
            for (int j = 0; j < 8; j++) {
                list.add(pool[random.nextInt(pool.length)]);
            }
            all.add(list);
        }
        return all;
    }

    static final class Cell {
        final int number;
        Cell next;

        Cell(int number) {
            this.number = number;
        }
    }

    /** One singly linked list: makes recursive and chain-walking readers quadratic. */
    private Cell chain(int cells) {
        Cell head = new Cell(0);
        Cell last = head;
        for (int i = 1; i < cells; i++) {
            last.next = new Cell(i);
            last = last.next;
        }
        return head;
    }

    static final class Vertex {
        final int number;
        Vertex first;
        Vertex second;
        Vertex third;
        Object payload;

        Vertex(int number) {
            this.number = number;
        }
    }

    /** A random graph of three edges a vertex, entered in one vertex of sixteen: no tree, deep cycles. */
    private Vertex[] graph(int vertices, Object[] pool) {
        Vertex[] all = new Vertex[vertices];
        for (int i = 0; i < vertices; i++) {
            all[i] = new Vertex(i);
        }
        for (int i = 0; i < vertices; i++) {
            Vertex vertex = all[i];
            vertex.first = all[(i + 1) % vertices]; // keeps every vertex reachable
            vertex.second = all[random.nextInt(vertices)];
            vertex.third = all[Math.min(vertices - 1, i + random.nextInt(1_000))];
            vertex.payload = pool[random.nextInt(pool.length)];
        }
        Vertex[] entries = new Vertex[(vertices + 15) / 16];
        for (int i = 0; i < entries.length; i++) {
            entries[i] = all[16 * i];
        }
        return entries;
    }

    // -- references ---------------------------------------------------------------------------

    /** Weak and phantom referents live elsewhere or are cleared by a live dump; soft ones stay. */
    private List<Object> references(int ofEach, Object[] pool) {
        ReferenceQueue<Object> queue = new ReferenceQueue<>();
        Map<Object, Object> weakMap = new WeakHashMap<>();
        List<Object> all = new ArrayList<>(3 * ofEach);
        all.add(queue);
        all.add(weakMap);
        for (int i = 0; i < ofEach; i++) {
            Object held = pool[random.nextInt(pool.length)];
            all.add(new WeakReference<>(held));
            all.add(new SoftReference<>(new int[] {i}));
            if (i % 8 == 0) {
                all.add(new PhantomReference<>(held, queue));
                weakMap.put(held, "value");
                all.add(new WeakReference<>(new Cell(i)));
            }
        }
        return all;
    }

    static final class Finalizable {
        final long handle;

        Finalizable(long handle) {
            this.handle = handle;
        }

        @Override
        @SuppressWarnings({"deprecation", "removal"})
        protected void finalize() {
            ROOTS.size();
        }
    }

    /** Each of these hangs on a java.lang.ref.Finalizer, and all of those on one doubly linked list. */
    private Finalizable[] finalizable(int objects) {
        Finalizable[] all = new Finalizable[objects];
        for (int i = 0; i < objects; i++) {
            all[i] = new Finalizable(random.nextLong());
        }
        return all;
    }

    // -- classes ------------------------------------------------------------------------------

    /** Eight levels with fields of every width: subclasses that fill the gaps their superclass left. */
    public static class Layer0 { public byte tiny = 1; }
    public static class Layer1 extends Layer0 { public long wide = 2; }
    public static class Layer2 extends Layer1 { public Object link; public short small = 3; }
    public static class Layer3 extends Layer2 { public int number = 4; }
    public static class Layer4 extends Layer3 { public static Object shared = "static"; public boolean flag; }
    public static class Layer5 extends Layer4 { public double real = 5; public Object other; }
    public static class Layer6 extends Layer5 { public char letter = 'x'; }
    public static class Layer7 extends Layer6 { public float ratio = 7; public Object third; }

    public interface Marker { }

    /** Defines the layers itself instead of asking its parent, so every loader has its own eight. */
    static final class LayerLoader extends ClassLoader {
        private final Map<String, byte[]> code;

        LayerLoader(String name, Map<String, byte[]> code) {
            super(name, HeapGenerator.class.getClassLoader());
            this.code = code;
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            byte[] bytes = code.get(name);
            if (bytes == null) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : defineClass(name, bytes, 0, bytes.length);
            }
        }
    }

    private Object[] loaders(int instances) throws ReflectiveOperationException, IOException {
        Map<String, byte[]> code = new HashMap<>();
        for (int level = 0; level < 8; level++) {
            String name = "HeapGenerator$Layer" + level;
            try (InputStream stream = HeapGenerator.class.getResourceAsStream(name + ".class")) {
                code.put(name, stream.readAllBytes());
            }
        }
        Object[] all = new Object[LOADERS + instances];
        Object previous = null;
        for (int i = 0; i < LOADERS; i++) {
            ClassLoader loader = new LayerLoader("tenant-" + i, code);
            Class<?> marker = Proxy.newProxyInstance(
                    new LayerLoader("proxy-" + i, Map.of()), new Class<?>[] {Marker.class},
                    (proxy, method, values) -> null).getClass();
            all[i] = new Object[] {loader, marker};
            // an equal share of the instances, spread over the eight levels
            int from = (int) ((long) instances * i / LOADERS);
            int to = (int) ((long) instances * (i + 1) / LOADERS);
            for (int level = 0; level < 8; level++) {
                Class<?> layer = loader.loadClass("HeapGenerator$Layer" + level);
                Constructor<?> constructor = layer.getConstructor();
                for (int j = from + level; j < to; j += 8) {
                    Object made = constructor.newInstance();
                    if (level >= 2) {
                        layer.getField("link").set(made, previous);
                    }
                    previous = made;
                    all[LOADERS + j] = made;
                }
                if (to - from < 8) {
                    constructor.newInstance(); // links the class at any scale
                }
            }
        }
        return all;
    }

    // -- threads ------------------------------------------------------------------------------

    /** Threads parked deep in a recursion whose every frame has objects of its own as locals. */
    private List<Thread> threads(Object[] pool) throws InterruptedException {
        List<Thread> all = new ArrayList<>();
        int threads = Math.max(4, (int) Math.round(THREADS * Math.min(1, scale)));
        CountDownLatch parked = new CountDownLatch(threads);
        CountDownLatch never = new CountDownLatch(1);
        for (int i = 0; i < threads; i++) {
            int number = i;
            Thread thread = new Thread(() -> descend(FRAMES, number, pool, parked, never), "worker-" + i);
            thread.setDaemon(true);
            thread.start();
            all.add(thread);
        }
        parked.await();
        return all;
    }

    private static int descend(
            int depth, int number, Object[] pool, CountDownLatch parked, CountDownLatch never) {
        byte[] buffer = new byte[64 * depth];
        Object local = pool[(number * FRAMES + depth) % pool.length];
        if (depth > 0) {
            return descend(depth - 1, number, pool, parked, never) + buffer.length + local.hashCode();
        }
        parked.countDown();
        try {
            never.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return buffer.length + local.hashCode();
    }
}
