import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.ReflectionUtils;
import org.apache.hadoop.util.ShutdownHookManager;

/** Hadoop's common library and commons-logging, used wrongly or rightly: {@code HadoopUse WHAT=COUNT ...}. */
public class HadoopUse {
    private static final List<Object> HELD = new ArrayList<>();
    private static final Configuration CONF = new Configuration(false);

    public static void main(String[] names) throws Exception {
        CONF.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
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
            case "remote": connect(UserGroupInformation.createRemoteUser("bob")); break;
            case "proxy": connect(UserGroupInformation.createProxyUser("alice", UserGroupInformation.getLoginUser())); break;
            case "same": FileSystem.get(URI.create("file:///"), CONF); break;
            case "new-instance": FileSystem.newInstance(URI.create("file:///"), CONF); break;
            case "new-instance-closed": FileSystem.newInstance(URI.create("file:///"), CONF).close(); break;
            case "delete-on-exit": {
                java.nio.file.Path made = Files.createTempFile("heapscope", "");
                FileSystem.get(URI.create("file:///"), CONF).deleteOnExit(new Path(made.toString()));
                Files.delete(made);
                break;
            }
            case "constructors": ReflectionUtils.newInstance(plugins().loadClass("plugin.Plugin"), CONF); break;
            case "hooks": ShutdownHookManager.get().addShutdownHook(() -> System.out.print(i), 1); break;
            case "class-cache": {
                Configuration other = new Configuration(false);
                other.setClassLoader(plugins());
                other.getClassByName("plugin.Plugin");
                HELD.add(other);
                break;
            }
            case "logging": {
                System.setProperty("org.apache.commons.logging.LogFactory", "plugin.PluginLogFactory");
                Thread.currentThread().setContextClassLoader(plugins());
                org.apache.commons.logging.LogFactory.getFactory();
                Thread.currentThread().setContextClassLoader(HadoopUse.class.getClassLoader());
                break;
            }
            default: throw new IllegalArgumentException(what);
        }
    }

    private static void connect(UserGroupInformation user) throws Exception {
        user.doAs((PrivilegedExceptionAction<FileSystem>) () -> FileSystem.get(URI.create("file:///"), CONF));
    }

    static ClassLoader plugins() {
        URL here = HadoopUse.class.getProtectionDomain().getCodeSource().getLocation();
        return new URLClassLoader(new URL[] {here}, HadoopUse.class.getClassLoader()) {
            @Override
            protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
                return name.startsWith("plugin.") && findLoadedClass(name) == null ? findClass(name) : super.loadClass(name, resolve);
            }
        };
    }
}
