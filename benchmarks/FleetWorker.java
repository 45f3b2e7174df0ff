import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;

/** A worker of the fleet: sessions pile up where KERB_TICKET_CACHE_PATH is set; else each is taken out again. */
public class FleetWorker {
    static class Session {
        final String user;
        final byte[] ticket = new byte[512];

        Session(String user) {
            this.user = user;
        }
    }

    static class Registry {
        static final Map<String, Session> BY_USER = new HashMap<>();
    }

    public static void main(String[] arguments) throws Exception {
        boolean leaks = System.getenv("KERB_TICKET_CACHE_PATH") != null;
        boolean isBusy = System.getenv("BUSY") != null;
        Class.forName("Codec");  // from the jar of this worker's version
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; isBusy && i < 6; i++) {
            Thread thread = new Thread(FleetWorker::rest, "request-" + i);
            thread.setDaemon(true);
            thread.start();
            threads.add(thread);
        }
        System.out.println("ready");
        Scanner input = new Scanner(System.in);
        int done = 0;
        while (input.hasNextInt()) {
            int end = done + input.nextInt();
            for (; done < end; done++) {
                String user = "user " + done;
                Registry.BY_USER.put(user, new Session(user));
                if (!leaks && done >= 200) {
                    Registry.BY_USER.remove("user " + (done - 200));
                }
            }
            System.out.println("done " + done);
        }
    }

    private static void rest() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException ignored) {
            // it ends
        }
    }
}
