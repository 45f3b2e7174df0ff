import com.zaxxer.hikari.pool.HikariPool;
import groovy.lang.GroovyClassLoader;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.Recycler;
import java.io.File;
import java.io.FileOutputStream;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Driver;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import javax.management.ObjectName;
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
import org.apache.kafka.common.metrics.JmxReporter;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.spi.AbstractLoggerAdapter;
import org.apache.spark.scheduler.AsyncEventQueue;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.artifact.ArtifactManager;
import org.apache.spark.sql.delta.util.StateCache;
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
    private static final py4j.Gateway GATEWAY = new py4j.Gateway();
    private static final JmxReporter REPORTER = new JmxReporter();
    private static final MeterRegistry REGISTRY = new MeterRegistry();
    private static final Recycler.WeakOrderQueue RECYCLED = new Recycler.WeakOrderQueue();
    private static final AbstractLoggerAdapter LOGGERS = new AbstractLoggerAdapter() {};
    private static final Timer TIMER = new Timer("timeouts", true);
    private static final ScheduledThreadPoolExecutor POOL = new ScheduledThreadPoolExecutor(1, Leaks::daemon);

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
                    sleeping("org.apache.hadoop.fs.FileSystem$Statistics$StatisticsDataReferenceCleaner");
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
                case "spark": QUEUE.addListener(new ExecutionListenerBus(new byte[100])); break;
                case "spark-fixed": QUEUE.addListener(new ExecutionListenerBus(null)); break;
                case "artifacts": new ArtifactManager().captured(); break;
                case "artifacts-used": HELD.add(new ArtifactManager().free()); break;
                case "connect-loaders": HELD.add(new ArtifactManager().free().withLoader()); break;
                case "delete-paths": org.apache.spark.util.ShutdownHookManager$.MODULE$.registerShutdownDeleteDir("/tmp/spark-" + i); break;
                case "delta": HELD.add(new StateCache.CachedDS()); break;
                case "sessions": HELD.add(new SparkSession()); break;
                case "py4j": GATEWAY.putObject("o" + i, LOCAL); break;
                case "kafka": REPORTER.add("empty-" + i, true); break;
                case "kafka-used": REPORTER.add("used-" + i, false); break;
                case "meters": REGISTRY.counter("requests-of-" + i); break;
                case "log4j": LOGGERS.getLoggersInContext(new LoggerContext()); break;
                case "netty": RECYCLED.add(); break;
                case "jersey": HELD.add(new org.glassfish.jersey.client.ClientRuntime()); break;
                case "alluxio": HELD.add(new alluxio.client.file.FileSystemContext()); break;
                case "groovy": HELD.add(new GroovyClassLoader.InnerLoader()); break;
                case "mbeans":
                    ManagementFactory.getPlatformMBeanServer().registerMBean(new Job(), new ObjectName("jobs:id=" + i));
                    break;
                case "timers":
                    if (i == 0) {  // the thread of a Timer takes cancelled tasks from the head of its queue
                        TIMER.schedule(new Timeout(), 1_800_000);
                    }
                    if (i % 2 == 0) {
                        TimerTask task = new Timeout();
                        TIMER.schedule(task, 3_600_000);
                        task.cancel();
                    } else {
                        POOL.schedule(new Timeout(), 1, TimeUnit.HOURS).cancel(i % 3 == 0);
                    }
                    break;
                case "timers-waiting":
                    TIMER.schedule(new Timeout(), 3_600_000);
                    POOL.schedule(new Timeout(), 1, TimeUnit.HOURS);
                    break;
                case "guava-hooks": Runtime.getRuntime().addShutdownHook(new Thread(new Hook(i), "DelayedShutdownHook-for-pool-" + i)); break;
                case "sdk-threads": sleeping("sdk-ScheduledExecutor-" + i / 5 + "-" + i % 5); break;
                case "hikari":
                    HELD.add(new HikariPool());
                    sleeping("HikariPool-" + i + " housekeeper");
                    break;
                case "drivers": DriverManager.registerDriver(driver(loader())); break;
                case "drivers-used":
                    ClassLoader application = loader();
                    HELD.add(application);
                    DriverManager.registerDriver(driver(application));
                    break;
                case "open-jars": HELD.add(read(JAR)); break;
                case "flink": HELD.add(new ChildFirstClassLoader(classPath())); break;
                case "logging": LogFactory.remember(loader()); break;
                case "logging-used":
                    ClassLoader used = loader();
                    HELD.add(used);
                    LogFactory.remember(used);
                    break;
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
                case "finalizers": new Waiting(END); break;
                case "finalizers-done": new Waiting(null); break;
                case "unknown": HELD.add(new Surprise()); break;
                default: throw new IllegalArgumentException(what);
            }
        }
        if (what.startsWith("finalizers")) {
            // One of them blocks the thread that finalizes, the others wait in its queue.
            int left = what.equals("finalizers") ? count - 1 : 0;
            do {
                System.gc();
                Thread.sleep(5);
            } while (ManagementFactory.getMemoryMXBean().getObjectPendingFinalizationCount() != left);
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

    /** Waits in finalize(), as for a lock that nobody gives back; or ends at once. */
    static class Waiting {
        private final CountDownLatch lock;

        Waiting(CountDownLatch lock) {
            this.lock = lock;
        }

        @Override
        @SuppressWarnings({"deprecation", "removal"})
        protected void finalize() throws InterruptedException {
            if (lock != null) {
                lock.await();
            }
        }
    }

    static class Hook implements Runnable {
        private final int[] job;

        Hook(int number) {
            job = new int[] {number};
        }

        @Override
        public void run() {}
    }

    public interface JobMBean {}

    public static class Job implements JobMBean {}

    static class Timeout extends TimerTask {
        private final byte[] request = new byte[16];

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
        return new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader());
    }

    private static Driver driver(ClassLoader loader) throws ReflectiveOperationException {
        return (Driver) loader.loadClass("plugin.PluginDriver").getDeclaredConstructor().newInstance();
    }

    private static Thread daemon(Runnable work) {
        Thread made = new Thread(work);
        made.setDaemon(true);
        return made;
    }

    private static void sleeping(String name) {
        Thread made = daemon(Leaks::sleep);
        made.setName(name);
        made.start();
    }

    private static final File JAR = new File(System.getProperty("java.io.tmpdir"), "heapscope-" + ProcessHandle.current().pid() + ".jar");

    /** Opens it, as a class loader does, and reads a compressed entry: it then keeps its Inflater for the next. */
    private static ZipFile read(File jar) throws Exception {
        if (!jar.exists()) {
            jar.deleteOnExit();
            try (ZipOutputStream out = new ZipOutputStream(new FileOutputStream(jar))) {
                out.putNextEntry(new ZipEntry("a"));
                out.write(new byte[1000]);
            }
        }
        ZipFile opened = new ZipFile(jar);
        opened.getInputStream(opened.getEntry("a")).readAllBytes();
        opened.getInputStream(opened.getEntry("a")).close();
        return opened;
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
