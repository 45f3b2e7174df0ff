package com.acme.clinic;

import com.acme.run.Pace;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/** A server that is idle: threads, a socket, loaded master data, and nobody asks. */
public class Clinic {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Map<String, Ward> wards = new HashMap<>();
        for (int i = 0; i < 800; i++) {
            wards.put("ward-" + i, new Ward("ward-" + i));
        }
        ScheduledExecutorService pool = Executors.newScheduledThreadPool(4, work -> {
            Thread thread = new Thread(work, "clinic");
            thread.setDaemon(true);
            return thread;
        });
        pool.submit(wards::size).get();
        try (ServerSocket socket = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            for (int step = 1; step <= Pace.STEPS; step++) {
                pool.submit(() -> socket.isBound() && wards.containsKey("ward-7")).get();
                pace.endOfStep(step);
            }
        }
    }
}

class Ward {
    final String name;
    final int[] beds = new int[500];

    Ward(String name) {
        this.name = name;
    }
}
