import java.io.File;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import org.apache.commons.logging.LogFactory;
import org.apache.flink.util.ChildFirstClassLoader;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.azurebfs.services.AbfsClientThrottlingAnalyzer;
import org.apache.hadoop.fs.s3a.S3AInstrumentation;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.io.compress.zlib.BuiltInGzipDecompressor;
import org.apache.hadoop.metrics2.impl.MetricsSystemImpl;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.UserGroupInformation.AuthenticationMethod;
import org.apache.hadoop.util.ReflectionUtils;
import org.apache.hadoop.util.ShutdownHookManager;
import org.apache.http.impl.conn.PoolingHttpClientConnectionManager;
import org.apache.spark.scheduler.AsyncEventQueue;
import org.apache.spark.sql.util.ExecutionListenerBus;

/**
 * Leaks, each the way its library does it: {@code Leaks ticket s3a=30 ...} makes so many of each that is named.
 * What is made here has the names of the libraries' own classes and fields, and nothing else of them.
 */
public class Leaks {
    private static final List<Object> HELD = new ArrayList<>();
    private static final AsyncEventQueue QUEUE = new AsyncEventQueue();
    private static final ThreadLocal<Object> LOCAL = new ThreadLocal<>();
    private static final CountDownLatch END = new CountDownLatch(1);

    public static void main(String[] names) throws Exception {
        for (String each : names) {
            String[] parts = each.split("=");
            make(parts[0], Integer.parseInt(parts[1]));
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {}
    }

    private static void make(String what, int count) throws Exception {
        UserGroupInformation once = UserGroupInformation.fromTicketCache("one@EXAMPLE.COM");
        FileSystem.Statistics statistics = null;
        if (what.equals("statistics") || what.startsWith("fs-")) {
            statistics = FileSystem.statisticsTable.computeIfAbsent("hdfs", name -> new FileSystem.Statistics());
        }
        FileSystem temporary = null;
        for (int i = 0; i < count; i++) {
            switch (what) {
                case "fs-ticket": connect("a:8020", UserGroupInformation.fromTicketCache("trainer@EXAMPLE.COM"), 0, true, true); break;
                case "fs-ticket-uncached": connect("a:8020", UserGroupInformation.fromTicketCache("trainer@EXAMPLE.COM"), 0, false, true); break;
                case "fs-closed": HELD.remove(connect("a:8020", UserGroupInformation.fromTicketCache("trainer@EXAMPLE.COM"), 0, false, true)); break;
                case "fs-same-login": connect("same" + i + ":8020", once, 0, true, false); break;
                case "fs-proxy": connect("b:8020", new UserGroupInformation("alice", AuthenticationMethod.PROXY), 0, true, false); break;
                case "fs-remote": connect("c:8020", new UserGroupInformation("bob", AuthenticationMethod.SIMPLE), 0, true, false); break;
                case "fs-keytab": connect("d:8020", UserGroupInformation.fromKeytab("hive/host@EXAMPLE.COM"), 0, true, false); break;
                case "fs-new-instance": connect("e:8020", once, i + 1, true, false); break;
                case "fs-delete-on-exit":
                    if (temporary == null) {
                        temporary = connect("f:8020", once, 0, true, false);
                    }
                    temporary.deleteOnExit(new org.apache.hadoop.fs.Path("/tmp/scratch-" + i));
                    break;
                case "statistics": statistics.read(new Thread(() -> {})); break;
                case "statistics-cleaner":
                    Thread cleaner = new Thread(Leaks::sleep,
                        "org.apache.hadoop.fs.FileSystem$Statistics$StatisticsDataReferenceCleaner");
                    cleaner.setContextClassLoader(loader());
                    cleaner.setDaemon(true);
                    cleaner.start();
                    break;
                case "hadoop-hooks": ShutdownHookManager.get().addShutdownHook(new Hook(i)); break;
                case "class-cache":
                    ClassLoader kept = loader();
                    HELD.add(kept);
                    Configuration.CACHE_CLASSES.put(kept, new java.util.HashMap<>());
                    break;
                case "constructors": ReflectionUtils.newInstance(loader().loadClass("plugin.Plugin")); break;
                case "codecs": HELD.add(new BuiltInGzipDecompressor()); break;
                case "codecs-ended":
                    BuiltInGzipDecompressor ended = new BuiltInGzipDecompressor();
                    ended.end();
                    HELD.add(ended);
                    break;
                case "s3a": MetricsSystemImpl.INSTANCE.register("s3a-" + i, new S3AInstrumentation()); break;
                case "abfs": new AbfsClientThrottlingAnalyzer("read-" + i); break;
                case "aws": com.amazonaws.http.IdleConnectionReaper.registerConnectionManager(new PoolingHttpClientConnectionManager()); break;
                case "aws2": software.amazon.awssdk.http.apache.internal.conn.IdleConnectionReaper.registerConnectionManager(new PoolingHttpClientConnectionManager()); break;
                case "spark": QUEUE.addListener(new ExecutionListenerBus()); break;
                case "flink": HELD.add(new ChildFirstClassLoader(classPath())); break;
                case "logging": LogFactory.remember(loader()); break;
                case "delete-on-exit": new File("/nowhere/heapscope-" + i).deleteOnExit(); break;
                case "hooks": Runtime.getRuntime().addShutdownHook(new Thread(new Hook(i))); break;
                case "direct": onThread(() -> write(9 << 20)); break;
                case "direct-small": onThread(() -> write(16 << 10)); break;
                case "inflaters": HELD.add(i % 2 == 0 ? new Inflater() : new Deflater()); break;
                case "inflaters-ended":
                    Inflater done = new Inflater();
                    done.end();
                    HELD.add(done);
                    break;
                case "thread-locals": onThread(() -> LOCAL.set(loader().loadClass("plugin.Plugin").getDeclaredConstructor().newInstance())); break;
                case "unknown": HELD.add(new Surprise()); break;
                default: throw new IllegalArgumentException(what);
            }
        }
    }

    private static FileSystem connect(String authority, UserGroupInformation ugi, long unique, boolean cached, boolean ticket) {
        Configuration conf = new Configuration();
        for (int i = 0; i < 20; i++) {
            conf.set("dfs.setting." + i, "value-" + i);
        }
        if (ticket) {
            conf.set("hadoop.security.kerberos.ticket.cache.path", "/tmp/krb5cc_1000");
        }
        FileSystem made = new DistributedFileSystem(URI.create("hdfs://" + authority), conf, ugi);
        if (cached) {
            FileSystem.CACHE.put("hdfs", authority, ugi, unique, made);
        } else {
            HELD.add(made);
        }
        return made;
    }

    static class Hook implements Runnable {
        private final int[] job;

        Hook(int number) {
            job = new int[] {number};
        }

        @Override
        public void run() {}
    }

    static class Surprise {
        private final byte[] content = new byte[1000];
    }

    interface Work {
        void run() throws Exception;
    }

    /** On a thread of its own that stays. */
    private static void onThread(Work work) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            done.countDown();
            sleep();
        });
        thread.setDaemon(true);
        thread.start();
        done.await();
    }

    private static void write(int size) throws Exception {
        try (FileChannel channel = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[size]));
        }
    }

    private static ClassLoader loader() {
        return new URLClassLoader(classPath(), null);
    }

    private static URL[] classPath() {
        return new URL[] {Leaks.class.getProtectionDomain().getCodeSource().getLocation()};
    }

    private static void sleep() {
        try {
            END.await();
        } catch (InterruptedException ended) {
            // the JVM ends
        }
    }
}
