import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.MutableCallSite;
import java.lang.invoke.VolatileCallSite;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Exchanger;
import java.util.concurrent.Flow;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Phaser;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/** One of everything that a JVM lays out in its own way; prints "ready" and waits. */
public class Zoo {
    // Fields of every size, gaps that subclasses fill, references on both sides of gaps.
    static class Empty {}
    static class OneByte { byte a; }
    static class ByteByte extends OneByte { byte b; }
    static class ByteLong extends OneByte { long l; }
    static class ByteLongShort extends ByteLong { short s; }
    static class ByteLongShortRef extends ByteLongShort { Object o; byte z; }
    static class OneInt { int i; }
    static class IntInt extends OneInt { int j; }
    static class IntIntLong extends IntInt { long l; int k; }
    static class OneLong { long l; }
    static class LongInt extends OneLong { int i; }
    static class LongIntBytes extends LongInt { byte b; boolean z; }
    static class ThreeChars { char a, b, c; }
    static class Mixed { byte b; long l; Object o; short s; char c; int i; double d; float f; boolean z; }
    static class MixedMore extends Mixed { Object p; byte b2; long l2; }
    static class OneRef { Object a; }
    static class RefLong extends OneRef { long l; }
    static class RefLongRef extends RefLong { Object b; byte q; }
    static class RefInt extends OneRef { int i; }
    static class RefIntRefs extends RefInt { Object b, c; double d; short s; }
    static class TwoRefs { Object a, b; }
    static class ThreeRefs extends TwoRefs { Object c; }
    static class ThreeRefsByte extends ThreeRefs { byte x; }
    static class ThreeRefsByteRef extends ThreeRefsByte { Object d; long l; }
    static class SevenBytes { byte a, b, c, d, e, f, g; }
    static class SevenBytesInt extends SevenBytes { int i; }
    static class SevenBytesIntLong extends SevenBytesInt { long l; }
    static class DoubleByte { double d; byte x; }
    static class DoubleByteRef extends DoubleByte { Object r; }
    static class DoubleByteRefs extends DoubleByteRef { Object q; short s; }
    static class EmptyInt extends Empty { int i; }
    static class EmptyIntLong extends EmptyInt { long l; }

    // Classes the VM adds fields to, or pads, and what fits behind.
    static class MyThread extends Thread { byte b; Object o; }
    static class MyThreadMore extends MyThread { long l; int i; }
    static class MyPool extends ForkJoinPool { boolean z; MyPool() { super(1); } }
    static class MyLoader extends ClassLoader { short s; }
    static class MyError extends InternalError { byte b; Object o; }
    static class MyReference extends WeakReference<Object> { int i; MyReference() { super(keep); } }
    static class MyMap extends HashMap<Object, Object> { byte b; long l; }
    static class MyNumber extends AtomicLong { byte b; }

    // Statics lie in the java.lang.Class object.
    static class StaticsOfAll {
        static byte a; static short b; static char c; static int d; static long e; static float f;
        static double g; static boolean h; static Object i = "i"; static Object[] j = {};
    }
    static class StaticByte { static byte a; }
    static class StaticRef { static Object a; }
    static class StaticRefLong { static long a; static Object b; }
    static class StaticRefLongByte { static long a; static Object b; static byte c; }
    static class NeverInitialised { static long x; static int y; static Object z; }
    interface Constants { Object O = new Object(); int I = O.hashCode(); }
    enum Colour { RED, GREEN { int extra; }, BLUE }

    static final List<Object> keep = new ArrayList<>();
    static volatile int sink;

    public static void main(String[] args) throws Throwable {
        for (int i = 0; i < 3; i++) {
            instances();
        }
        for (int length = 0; length < 20; length++) {
            arrays(length);
        }
        keep.add(Colour.values());
        keep.add(Constants.O);
        keep.add(Class.forName("Zoo$NeverInitialised", false, Zoo.class.getClassLoader()));
        concurrency();
        methodHandles();
        virtualThreads();
        System.gc();
        if (args.length > 0) { // garbage that lies there until the next collection
            for (int i = 0; i < 1000; i++) {
                sink += new int[i].length + new byte[i].length;
            }
        }
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) {}
    }

    static void instances() {
        Object[] all = {
            new Empty(), new OneByte(), new ByteByte(), new ByteLong(), new ByteLongShort(), new ByteLongShortRef(),
            new OneInt(), new IntInt(), new IntIntLong(), new OneLong(), new LongInt(), new LongIntBytes(),
            new ThreeChars(), new Mixed(), new MixedMore(), new OneRef(), new RefLong(), new RefLongRef(),
            new RefInt(), new RefIntRefs(), new TwoRefs(), new ThreeRefs(), new ThreeRefsByte(),
            new ThreeRefsByteRef(), new SevenBytes(), new SevenBytesInt(), new SevenBytesIntLong(),
            new DoubleByte(), new DoubleByteRef(), new DoubleByteRefs(), new EmptyInt(), new EmptyIntLong(),
            new MyThread(), new MyThreadMore(), new MyPool(), new MyLoader(), new MyError(), new MyReference(),
            new MyMap(), new MyNumber(), new StaticsOfAll(), new StaticByte(), new StaticRef(),
            new StaticRefLong(), new StaticRefLongByte(),
        };
        keep.addAll(List.of(all));
    }

    static void arrays(int n) {
        Object[] all = {
            new byte[n], new boolean[n], new short[n], new char[n], new int[n], new float[n], new long[n],
            new double[n], new Object[n], new String[n], new byte[n][], new int[n][2], new Zoo[n][1][],
        };
        keep.addAll(List.of(all));
    }

    /** Contended classes and fields: padded by 128 bytes on both sides. */
    static void concurrency() throws Exception {
        LongAdder adder = new LongAdder();
        ConcurrentHashMap<Integer, Integer> map = new ConcurrentHashMap<>();
        Exchanger<Object> exchanger = new Exchanger<>();
        CountDownLatch start = new CountDownLatch(4);
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.length; t++) {
            int id = t;
            threads[t] = new Thread(() -> contend(id, start, adder, map, exchanger));
            threads[t].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        keep.addAll(List.of(adder, map, exchanger, new Phaser(1), CompletableFuture.completedFuture("done")));
        ForkJoinPool pool = new ForkJoinPool(2, ForkJoinPool.defaultForkJoinWorkerThreadFactory, null, false,
            0, 2, 0, null, 1, TimeUnit.DAYS);
        pool.submit(() -> sink++).get();
        keep.add(pool);
        SubmissionPublisher<String> publisher = new SubmissionPublisher<>(pool, 8);
        publisher.subscribe(new Flow.Subscriber<String>() {
            public void onSubscribe(Flow.Subscription subscription) { subscription.request(1); }
            public void onNext(String item) {}
            public void onError(Throwable problem) {}
            public void onComplete() {}
        });
        publisher.submit("first");
        keep.add(publisher);
        Thread parked = new Thread(() -> park(3), "parked");
        parked.setDaemon(true);
        parked.start();
    }

    static void contend(int id, CountDownLatch start, LongAdder adder, ConcurrentHashMap<Integer, Integer> map,
            Exchanger<Object> exchanger) {
        try {
            start.countDown();
            start.await();
            for (int i = 0; i < 100_000; i++) {
                adder.increment();
                map.put(id * 1000 + i % 1000, i);
            }
            if (id < 2) {
                exchanger.exchange("mine", 5, TimeUnit.SECONDS);
            }
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static void methodHandles() throws Throwable {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        MethodHandle main = lookup.findStatic(Zoo.class, "main", MethodType.methodType(void.class, String[].class));
        keep.addAll(List.of(main, main.bindTo(new String[0]), new MutableCallSite(main)));
        keep.add(new VolatileCallSite(MethodType.methodType(int.class)));
        keep.add(lookup.findStaticVarHandle(Zoo.class, "sink", int.class));
        Function<Object, Object> lambda = x -> x.toString() + keep.size();
        keep.add(lambda.andThen(lambda));
        keep.add("text" + sink + lambda.apply("more"));
        keep.add(Zoo.class.getDeclaredMethods());
        keep.add(StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE).walk(s -> s.toArray()));
    }

    /** Since JDK 21: a parked virtual thread keeps its stack in the heap, in a StackChunk. */
    static void virtualThreads() throws Exception {
        Method starter;
        try {
            starter = Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException e) {
            return;
        }
        for (int i = 0; i < 3; i++) {
            int depth = 7 * i;
            try {
                keep.add(starter.invoke(null, (Runnable) () -> park(depth)));
            } catch (java.lang.reflect.InvocationTargetException e) {
                return; // a preview in JDK 19 and 20
            }
        }
        Thread.sleep(200); // until they have parked
    }

    static void park(int depth) {
        if (depth > 0) {
            park(depth - 1);
        }
        while (true) {
            LockSupport.park(keep);
        }
    }
}
