import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** {@code FlinkJobs COUNT}: so many jobs that run in one mini cluster, and as many that have ended. */
public class FlinkJobs {
    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[0]);
        Configuration options = new Configuration();
        options.set(RestOptions.BIND_PORT, "0");
        options.set(TaskManagerOptions.NUM_TASK_SLOTS, 2 * count);
        MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
            .setConfiguration(options).setNumTaskManagers(1).setNumSlotsPerTaskManager(2 * count).build());
        cluster.start();
        for (int i = 0; i < count; i++) {
            cluster.executeJobBlocking(job(options, 100));
        }
        for (int i = 0; i < count; i++) {
            cluster.submitJob(job(options, Long.MAX_VALUE - 1)).get();
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {}
        Runtime.getRuntime().halt(0);
    }

    private static JobGraph job(Configuration options, long last) {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(options);
        environment.setParallelism(1);
        environment.fromSequence(1, last).map(n -> {
            Thread.sleep(last > 100 ? 100 : 0);
            return n;
        }).returns(Long.class).sinkTo(new DiscardingSink<>());
        return environment.getStreamGraph().getJobGraph();
    }
}
