import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Secrets in every place of a heap that has texts, and a leak in a local variable of a thread with such a name. */
public class Secrets {
    static final class Ticket {
        final String text;
        final byte[] payload = new byte[4000];

        Ticket(int number) {
            text = SECRET + " ticket " + number;
        }
    }

    static final String SECRET = System.getenv("PLANTED");
    static final char[] LETTERS = SECRET.toCharArray();
    static final byte[] BYTES = SECRET.getBytes(StandardCharsets.UTF_8);
    static final StringBuilder BUILDER = new StringBuilder(SECRET);
    static final Map<String, Object> MAP = new HashMap<>();
    static final ThreadLocal<List<Object>> LOCAL = ThreadLocal.withInitial(ArrayList::new);
    static final Throwable ERROR = new IllegalStateException("no entry for " + SECRET);

    public static void main(String[] arguments) throws Exception {
        MAP.put(SECRET + " key", SECRET + " value");
        URL[] here = {Secrets.class.getProtectionDomain().getCodeSource().getLocation()};
        ClassLoader loader = new URLClassLoader(SECRET + " loader", here, null);
        // With an instance, or the loader stands in no table.
        var constructor = loader.loadClass("Secrets$Ticket").getDeclaredConstructor(int.class);
        constructor.setAccessible(true);
        MAP.put("loaded", constructor.newInstance(0));
        Thread worker = new Thread(() -> work(arguments), SECRET + " thread");
        worker.start();
    }

    private static void work(String[] arguments) {
        List<Ticket> tickets = new ArrayList<>();
        String local = SECRET + " local";
        LOCAL.get().add(new byte[600_000]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        try {
            do {
                for (int i = 0; i < 200; i++) {
                    tickets.add(new Ticket(i));
                }
                System.out.println("ready");
            } while (input.readLine() != null);
        } catch (java.io.IOException error) {
            throw new IllegalStateException(local + tickets.size(), error);
        }
    }
}
