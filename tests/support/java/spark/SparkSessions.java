import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/** {@code SparkSessions COUNT keep|drop}: so many SQL sessions of one local Spark, each with a query. */
public class SparkSessions {
    private static final List<SparkSession> HELD = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        SparkSession first = SparkSession.builder().master("local[1]").appName("sessions")
            .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "1")
            .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
            .getOrCreate();
        for (int i = 0; i < Integer.parseInt(args[0]); i++) {
            SparkSession one = first.newSession();
            one.sql("SET spark.sql.session.number=" + i);
            if (args[1].equals("keep")) {
                one.sql("SELECT " + i + " + id AS n FROM range(10)").collectAsList();  // a job of its own
                HELD.add(one);
            } else if (!first.version().startsWith("3.1.")) {  // whose jobs need a JDK before 17
                one.sql("SELECT 1").collectAsList();
            }
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {}
        first.stop();
        System.exit(0);
    }
}
