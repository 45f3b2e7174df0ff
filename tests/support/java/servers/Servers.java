import com.google.common.util.concurrent.MoreExecutors;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import jakarta.ws.rs.ProcessingException;
import jakarta.ws.rs.client.Client;
import jakarta.ws.rs.client.ClientBuilder;
import java.io.PrintWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import javax.sql.DataSource;
import py4j.Gateway;

/** Libraries that servers use, wrongly or rightly: {@code Servers WHAT=COUNT ...}. */
public class Servers {
    private static final List<Object> HELD = new ArrayList<>();
    private static final Gateway GATEWAY = new Gateway(null);

    public static void main(String[] names) throws Exception {
        GATEWAY.startup();
        for (String each : names) {
            String[] parts = each.split("=");
            for (int i = 0; i < Integer.parseInt(parts[1]); i++) {
                make(parts[0], i);
            }
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {}
        Runtime.getRuntime().halt(0);
    }

    private static void make(String what, int i) throws Exception {
        switch (what) {
            case "guava": {
                ThreadPoolExecutor pool = (ThreadPoolExecutor) Executors.newFixedThreadPool(1);
                MoreExecutors.getExitingExecutorService(pool, 1, TimeUnit.SECONDS).shutdown();
                break;
            }
            case "log4j": Class.forName("plugin.Logs", true, plugins()); break;
            case "hikari": HELD.add(pool(i)); break;
            case "hikari-closed": pool(i).close(); break;
            case "jersey": {
                Client client = ClientBuilder.newClient();
                try {
                    client.target("http://127.0.0.1:1/").property("number", i).request().get();
                } catch (ProcessingException refused) {
                    // nobody listens there
                }
                client.close();
                break;
            }
            case "py4j": GATEWAY.putNewObject(new int[] {i}); break;
            default: throw new IllegalArgumentException(what);
        }
    }

    private static HikariDataSource pool(int i) {
        HikariConfig config = new HikariConfig();
        config.setPoolName("pool-" + i);
        config.setDataSource(new NoSource());
        config.setMinimumIdle(0);
        config.setMaximumPoolSize(1);
        config.setInitializationFailFast(false);
        return new HikariDataSource(config);
    }

    private static ClassLoader plugins() {
        URL here = Servers.class.getProtectionDomain().getCodeSource().getLocation();
        return new URLClassLoader(new URL[] {here}, Servers.class.getClassLoader()) {
            @Override
            protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
                return name.startsWith("plugin.") && findLoadedClass(name) == null ? findClass(name) : super.loadClass(name, resolve);
            }
        };
    }

    /** A database that is down. */
    private static class NoSource implements DataSource {
        @Override
        public Connection getConnection() throws SQLException {
            throw new SQLException("down");
        }

        @Override
        public Connection getConnection(String user, String password) throws SQLException {
            throw new SQLException("down");
        }

        @Override
        public PrintWriter getLogWriter() {
            return null;
        }

        @Override
        public void setLogWriter(PrintWriter out) {}

        @Override
        public void setLoginTimeout(int seconds) {}

        @Override
        public int getLoginTimeout() {
            return 0;
        }

        @Override
        public Logger getParentLogger() {
            return null;
        }

        @Override
        public <T> T unwrap(Class<T> type) throws SQLException {
            throw new SQLException("none");
        }

        @Override
        public boolean isWrapperFor(Class<?> type) {
            return false;
        }
    }
}
