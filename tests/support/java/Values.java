import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

/** One of everything that has a Python value, with what is in it known; prints "ready" and waits. */
public class Values {
    enum Color { RED, GREEN { @Override public String toString() { return "grass"; } }, BLUE }

    /** Enough constants for a JumboEnumSet. */
    enum Many {
        A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, B0, B1, B2, B3, B4, B5, B6, B7, B8, B9,
        C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, D0, D1, D2, D3, D4, D5, D6, D7, D8, D9,
        E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, F0, F1, F2, F3, F4, F5, F6, F7, F8, F9,
        G0, G1, G2, G3, G4, G5, G6, G7, G8, G9
    }

    static class MyMap extends HashMap<String, Integer> {}

    static class Sizes {
        byte b = -1; short s = -2; char c = 'x'; int i = -3; long l = Long.MIN_VALUE;
        float f = 0.5f; double d = -0.25; boolean z = true;
    }

    static final Map<String, Object> ALL = new LinkedHashMap<>();
    static final Object WEAK_KEY = new String("weak");
    static final Object[] SIZES = new Object[1000];

    static <M extends Map<String, Integer>> M abc(M map) {
        map.put("a", 1);
        map.put("b", 2);
        map.put("c", 3);
        return map;
    }

    static <C extends Collection<String>> C abc(C collection) {
        collection.addAll(Arrays.asList("a", "b", "c"));
        return collection;
    }

    static void scalars() {
        ALL.put("latin", "na\u00efve");
        ALL.put("utf16", "\u0416\u03b1\ud83d\ude00");
        ALL.put("empty", "");
        ALL.put("null", null);
        ALL.put("byte", (byte) -128);
        ALL.put("short", (short) -32768);
        ALL.put("char", '\u0416');
        ALL.put("int", Integer.MIN_VALUE);
        ALL.put("long", Long.MIN_VALUE);
        ALL.put("float", 1.5f);
        ALL.put("double", -1e300);
        ALL.put("true", true);
        ALL.put("false", false);
        ALL.put("AtomicInteger", new AtomicInteger(-7));
        ALL.put("AtomicLong", new AtomicLong(1L << 40));
        ALL.put("AtomicBoolean", new AtomicBoolean(true));
        ALL.put("enum", Color.RED);
        ALL.put("enum with a body", Color.GREEN);
        ALL.put("Class", Map.Entry.class);
        ALL.put("Class of arrays", String[][].class);
        ALL.put("Optional", Optional.of("here"));
        ALL.put("Optional.empty", Optional.empty());
        ALL.put("OptionalInt", OptionalInt.of(5));
        ALL.put("OptionalLong.empty", OptionalLong.empty());
        ALL.put("OptionalDouble", OptionalDouble.of(2.5));
    }

    static void arrays() {
        ALL.put("byte[]", new byte[] {1, -1, 0});
        ALL.put("char[]", "\u0416x".toCharArray());
        ALL.put("boolean[]", new boolean[] {true, false});
        ALL.put("short[]", new short[] {-1, 2});
        ALL.put("int[]", new int[] {Integer.MIN_VALUE, 7});
        ALL.put("long[]", new long[] {Long.MAX_VALUE});
        ALL.put("float[]", new float[] {0.5f});
        ALL.put("double[]", new double[] {});
        ALL.put("Object[]", new Object[] {"a", 1, null, new Object[] {2L}});
        ALL.put("String[][]", new String[][] {{"a"}, {}, null});
    }

    static void maps() throws Exception {
        ALL.put("HashMap", abc(new HashMap<>()));
        ALL.put("HashMap, empty", new HashMap<>());
        Map<Object, Object> nulls = new HashMap<>();
        nulls.put(null, "of null");
        nulls.put("to null", null);
        ALL.put("HashMap with nulls", nulls);
        Map<Object, Object> alike = new LinkedHashMap<>();
        alike.put(1, "Integer");
        alike.put(1L, "Long");
        alike.put(true, "Boolean");
        alike.put(new ArrayList<>(), "unhashable");
        ALL.put("keys that are equal in Python", alike);
        Map<String, Integer> large = new HashMap<>(), concurrent = new ConcurrentHashMap<>();
        for (int i = 0; i < 5000; i++) {
            large.put("key" + i, i);
            concurrent.put("key" + i, i);
        }
        ALL.put("HashMap of 5000", large);
        ALL.put("ConcurrentHashMap of 5000", concurrent);
        // 256 keys of one hash: bins become trees.
        Map<String, Integer> tree = new HashMap<>(), concurrentTree = new ConcurrentHashMap<>();
        for (int i = 0; i < 256; i++) {
            StringBuilder key = new StringBuilder();
            for (int bit = 0; bit < 8; bit++) key.append((i >> bit & 1) == 0 ? "Aa" : "BB");
            tree.put(key.toString(), i);
            concurrentTree.put(key.toString(), i);
        }
        ALL.put("HashMap with a tree", tree);
        ALL.put("ConcurrentHashMap with a tree", concurrentTree);
        ALL.put("LinkedHashMap", abc(new LinkedHashMap<>()));
        Map<String, Integer> byAccess = abc(new LinkedHashMap<>(16, 0.75f, true));
        byAccess.get("a");
        ALL.put("LinkedHashMap by access", byAccess);
        ALL.put("a subclass", abc(new MyMap()));
        ALL.put("TreeMap", abc(new TreeMap<>(Comparator.reverseOrder())));
        Map<Integer, Integer> squares = new TreeMap<>();
        for (int i = 0; i < 200; i++) squares.put(i * 7919 % 200, i);
        ALL.put("TreeMap of 200", squares);
        ALL.put("ConcurrentHashMap", abc(new ConcurrentHashMap<>()));
        ALL.put("ConcurrentSkipListMap", abc(new ConcurrentSkipListMap<>()));
        ConcurrentSkipListMap<Integer, Integer> skip = new ConcurrentSkipListMap<>();
        for (int i = 0; i < 300; i++) skip.put(i, -i);
        for (int i = 0; i < 300; i += 3) skip.remove(i);
        ALL.put("ConcurrentSkipListMap of 200", skip);
        ALL.put("ConcurrentSkipListMap, empty", new ConcurrentSkipListMap<>());
        ALL.put("Hashtable", abc(new Hashtable<>()));
        Properties defaults = new Properties();
        defaults.setProperty("inherited", "yes");
        Properties properties = new Properties(defaults);
        properties.setProperty("own", "yes");
        ALL.put("Properties", properties);
        Map<Object, Object> identity = new IdentityHashMap<>();
        identity.put(new String("same"), 1);
        identity.put(new String("same"), 2);
        identity.put(null, 3);
        ALL.put("IdentityHashMap", identity);
        Map<Object, Object> weak = new WeakHashMap<>();
        weak.put(WEAK_KEY, 1);
        weak.put(new Object(), "collected");
        weak.put(null, 3);
        ALL.put("WeakHashMap", weak);
        Map<Color, String> byColor = new EnumMap<>(Color.class);
        byColor.put(Color.GREEN, "g");
        byColor.put(Color.BLUE, null);
        ALL.put("EnumMap", byColor);
        ALL.put("Map.of()", Map.of());
        ALL.put("Map.of(1)", Map.of("a", 1));
        ALL.put("Map.of(3)", Map.of("a", 1, "b", 2, "c", 3));
        ALL.put("emptyMap", Collections.emptyMap());
        ALL.put("singletonMap", Collections.singletonMap("k", "v"));
        ALL.put("unmodifiableMap", Collections.unmodifiableMap(abc(new HashMap<>())));
        ALL.put("unmodifiableSortedMap", Collections.unmodifiableSortedMap(abc(new TreeMap<>())));
        ALL.put("synchronizedMap", Collections.synchronizedMap(abc(new HashMap<>())));
        ALL.put("checkedMap", Collections.checkedMap(abc(new HashMap<>()), String.class, Integer.class));
        ALL.put("nested", Map.of("list", List.of(1, List.of(2, new int[] {3}))));
    }

    static void lists() {
        ALL.put("ArrayList", abc(new ArrayList<>(100)));
        ALL.put("ArrayList, empty", new ArrayList<>());
        ALL.put("LinkedList", abc(new LinkedList<>()));
        ALL.put("Vector", abc(new Vector<>()));
        ALL.put("Stack", abc(new Stack<>()));
        ArrayDeque<String> ring = new ArrayDeque<>(5);
        for (int i = 0; i < 40; i++) {
            ring.add("x");
            if (ring.size() > 3) ring.remove();
        }
        ring.add("last");
        ring.addFirst("first");
        ALL.put("ArrayDeque", ring);
        ALL.put("ArrayDeque, empty", new ArrayDeque<>());
        ALL.put("Arrays.asList", Arrays.asList("a", null, "c"));
        ALL.put("List.of()", List.of());
        ALL.put("List.of(1)", List.of("a"));
        ALL.put("List.of(2)", List.of("a", "b"));
        ALL.put("List.of(3)", List.of("a", "b", "c"));
        ALL.put("ArrayList.subList", abc(abc(new ArrayList<>())).subList(1, 5).subList(1, 3));
        ALL.put("Arrays.asList.subList", Arrays.asList("a", "b", "c", "d").subList(1, 3));
        ALL.put("List.of.subList", List.of("a", "b", "c", "d").subList(1, 3));
        ALL.put("Vector.subList", abc(new Vector<>()).subList(1, 2));
        ALL.put("CopyOnWriteArrayList", abc(new CopyOnWriteArrayList<>()));
        ALL.put("CopyOnWriteArrayList.subList", abc(new CopyOnWriteArrayList<>()).subList(1, 3));
        PriorityQueue<Integer> priorities = new PriorityQueue<>(List.of(3, 1, 2));
        ALL.put("PriorityQueue", priorities);
        ALL.put("PriorityBlockingQueue", new PriorityBlockingQueue<>(priorities));
        ALL.put("ArrayBlockingQueue", abc(new ArrayBlockingQueue<>(5)));
        ArrayBlockingQueue<String> round = abc(new ArrayBlockingQueue<>(3));
        round.remove();
        round.add("d");
        ALL.put("ArrayBlockingQueue, full", round);
        LinkedBlockingQueue<String> blocking = abc(new LinkedBlockingQueue<>());
        blocking.remove();
        ALL.put("LinkedBlockingQueue", blocking);
        ALL.put("LinkedBlockingDeque", abc(new LinkedBlockingDeque<>()));
        ConcurrentLinkedQueue<String> queue = abc(new ConcurrentLinkedQueue<>());
        queue.remove();
        queue.remove("b");
        ALL.put("ConcurrentLinkedQueue", queue);
        ALL.put("ConcurrentLinkedDeque", abc(new ConcurrentLinkedDeque<>()));
        ALL.put("emptyList", Collections.emptyList());
        ALL.put("singletonList", Collections.singletonList("a"));
        ALL.put("nCopies", Collections.nCopies(3, "a"));
        ALL.put("nCopies of too many", Collections.nCopies(Integer.MAX_VALUE, "a"));
        ALL.put("unmodifiableList", Collections.unmodifiableList(abc(new ArrayList<>())));
        ALL.put("unmodifiableCollection", Collections.unmodifiableCollection(abc(new ArrayList<>())));
        ALL.put("synchronizedList", Collections.synchronizedList(abc(new LinkedList<>())));
        ALL.put("checkedList", Collections.checkedList(abc(new ArrayList<>()), String.class));
        ALL.put("asLifoQueue", Collections.asLifoQueue(abc(new ArrayDeque<>())));
        ALL.put("HashMap.values", Collections.unmodifiableCollection(abc(new HashMap<>()).values()));
        ALL.put("LinkedHashMap.values", abc(new LinkedHashMap<>()).values());
        ALL.put("TreeMap.values", abc(new TreeMap<>()).values());
        ALL.put("ConcurrentHashMap.values", abc(new ConcurrentHashMap<>()).values());
        List<Object> itself = new ArrayList<>();
        itself.add("x");
        itself.add(itself);
        ALL.put("a list in itself", itself);
    }

    static void sets() {
        ALL.put("HashSet", abc(new HashSet<>()));
        ALL.put("HashSet of lists", new HashSet<>(List.of(List.of(1, 2))));
        ALL.put("LinkedHashSet", abc(new LinkedHashSet<>()));
        ALL.put("TreeSet", abc(new TreeSet<>()));
        ALL.put("ConcurrentSkipListSet", abc(new ConcurrentSkipListSet<>()));
        ALL.put("CopyOnWriteArraySet", abc(new CopyOnWriteArraySet<>()));
        ALL.put("Set.of()", Set.of());
        ALL.put("Set.of(1)", Set.of("a"));
        ALL.put("Set.of(2)", Set.of("a", "b"));
        ALL.put("Set.of(3)", Set.of("a", "b", "c"));
        ALL.put("EnumSet", EnumSet.of(Color.RED, Color.BLUE));
        ALL.put("EnumSet of 70", EnumSet.complementOf(EnumSet.of(Many.A0, Many.F3, Many.F4)));
        ALL.put("emptySet", Collections.emptySet());
        ALL.put("singleton", Collections.singleton("a"));
        ALL.put("unmodifiableSet", Collections.unmodifiableSet(abc(new HashSet<>())));
        ALL.put("synchronizedSet", Collections.synchronizedSet(abc(new HashSet<>())));
        ALL.put("newSetFromMap", abc(Collections.newSetFromMap(new ConcurrentHashMap<>())));
        ALL.put("newKeySet", abc(ConcurrentHashMap.newKeySet()));
        ALL.put("HashMap.keySet", abc(new HashMap<>()).keySet());
        ALL.put("LinkedHashMap.keySet", abc(new LinkedHashMap<>()).keySet());
        ALL.put("TreeMap.keySet", abc(new TreeMap<>()).keySet());
        ALL.put("ConcurrentHashMap.keySet", abc(new ConcurrentHashMap<>()).keySet());
        Set<String> large = new HashSet<>();
        for (int i = 0; i < 1000; i++) large.add("e" + i);
        ALL.put("HashSet of 1000", large);
    }

    public static void main(String[] arguments) throws Exception {
        scalars();
        arrays();
        maps();
        lists();
        sets();
        for (int i = 0; i < SIZES.length; i++) SIZES[i] = new Sizes();
        System.gc();
        System.out.println("ready");
        System.in.read();
    }
}
