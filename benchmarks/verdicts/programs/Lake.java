package com.acme.lake;

import com.acme.run.Pace;
import com.amazonaws.http.IdleConnectionReaper;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.s3a.S3AInstrumentation;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.metrics2.impl.MetricsSystemImpl;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.UserGroupInformation.AuthenticationMethod;
import org.apache.http.impl.conn.PoolingHttpClientConnectionManager;
import org.apache.spark.scheduler.AsyncEventQueue;
import org.apache.spark.sql.util.ExecutionListenerBus;

/** A job on a data lake; the second argument says which of its libraries it uses wrongly. */
public class Lake {
    private static final AsyncEventQueue QUEUE = new AsyncEventQueue();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Lake lake = new Lake(args[1], pace.isFixed());
        int[] uneven = {1, 1, 3, 2, 8, 4, 14, 20};
        for (int step = 1; step <= Pace.STEPS; step++) {
            int some = args[1].startsWith("fs-") ? uneven[step - 1] : 25 + step % 3;
            if (args[1].equals("fs-proxy") || args[1].equals("fs-remote")) {
                some *= 25;  // a busy server has some dozens of these at a time
            }
            for (int i = 0; i < pace.operations(some); i++) {
                lake.use();
            }
            pace.endOfStep(step);
        }
    }

    private final String what;
    private final boolean once;
    private final FileSystem.Statistics statistics = new FileSystem.Statistics();
    private boolean isUsed;

    Lake(String what, boolean once) {
        this.what = what;
        this.once = once;
        FileSystem.statisticsTable.put("hdfs", statistics);
    }

    private void use() {
        if (once && isUsed) {
            return;
        }
        isUsed = true;
        switch (what) {
            case "fs-proxy": connect(new UserGroupInformation("alice", AuthenticationMethod.PROXY)); break;
            case "fs-remote": connect(new UserGroupInformation("bob", AuthenticationMethod.SIMPLE)); break;
            case "fs-keytab": connect(UserGroupInformation.fromKeytab("hive/host@ACME.COM")); break;
            case "s3a": MetricsSystemImpl.INSTANCE.register("s3a-" + System.nanoTime(), new S3AInstrumentation()); break;
            case "spark": QUEUE.addListener(new ExecutionListenerBus(new byte[100])); break;
            case "aws": IdleConnectionReaper.registerConnectionManager(new PoolingHttpClientConnectionManager()); break;
            case "statistics":
                for (int i = 0; i < 20; i++) {
                    statistics.read(new Thread(() -> {}));
                }
                break;
            default: throw new IllegalArgumentException(what);
        }
    }

    private static void connect(UserGroupInformation user) {
        Configuration configuration = new Configuration();
        for (int i = 0; i < 30; i++) {
            configuration.set("dfs.setting." + i, "value-" + i);
        }
        FileSystem made = new DistributedFileSystem(URI.create("hdfs://lake:8020"), configuration, user);
        FileSystem.CACHE.put("hdfs", "lake:8020", user, 0, made);
    }
}
