import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A leak beside a cache that fluctuates: each line of input adds so many sessions and churns the cache. */
public class Grower {
    static final class Session {
        final byte[] payload = new byte[1000];
    }

    static final class Entry {
        final long value;

        Entry(long value) {
            this.value = value;
        }
    }

    static final class Registry {
        final Map<Integer, Session> sessions = new HashMap<>();
    }

    static final Registry REGISTRY = new Registry();
    static final List<Entry> CACHE = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        Random random = new Random(Long.parseLong(arguments[0]));
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("max " + Runtime.getRuntime().maxMemory());
        System.out.println("ready");
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            for (int i = 0, count = Integer.parseInt(line.trim()); i < count; i++) {
                REGISTRY.sessions.put(REGISTRY.sessions.size(), new Session());
            }
            CACHE.clear();
            for (int i = 0, count = 200 + random.nextInt(200); i < count; i++) {
                CACHE.add(new Entry(i));
            }
            System.out.println("ready");
        }
    }
}
