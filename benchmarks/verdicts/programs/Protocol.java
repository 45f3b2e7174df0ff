package com.acme.protocol;

import com.acme.run.Pace;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes a protocol of its work into one object, which gets larger and larger: a stream, a text, an array, or a
 * list of arrays, as the second argument says. Beside it are buffers that grow to their working size and stay.
 */
public class Protocol {
    private static final ByteArrayOutputStream stream = new ByteArrayOutputStream();
    private static final StringBuilder text = new StringBuilder();
    private static final List<byte[]> chunks = new ArrayList<>();
    private static byte[] packed = new byte[0];
    private static long sentBytes;

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Wire wire = new Wire();
        long number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2500); i++) {
                String line = "request " + ++number + " to /service/" + number % 400 + " took "
                    + number % 77 + " ms;" + ".".repeat(240) + "\n";
                wire.send(line, (int) (number % 50));
                keep(args[1], line, pace.isFixed() && number % 100 == 0);
            }
            pace.endOfStep(step);
        }
        System.out.println(sentBytes + wire.sentBytes);
    }

    private static void keep(String kind, String line, boolean flush) {
        byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
        switch (kind) {
            case "stream" -> {
                stream.writeBytes(bytes);
                if (flush) {
                    sentBytes += stream.size();
                    stream.reset();
                }
            }
            case "text" -> {
                text.append(line);
                if (flush) {
                    sentBytes += text.length();
                    text.setLength(0);
                }
            }
            case "chunks" -> {
                chunks.add(bytes);
                if (flush) {
                    sentBytes += chunks.stream().mapToInt(each -> each.length).sum();
                    chunks.clear();
                }
            }
            default -> {
                int used = flush ? 0 : packed.length;
                sentBytes += packed.length - used;
                packed = Arrays.copyOf(packed, used + 40);
                System.arraycopy(bytes, 0, packed, used, 40);
            }
        }
    }
}

class Wire {
    private final ByteArrayOutputStream frame = new ByteArrayOutputStream();
    private final StringBuilder page = new StringBuilder();
    long sentBytes;

    void send(String line, int copies) {
        frame.reset();
        for (int i = 0; i <= copies; i++) {
            frame.writeBytes(line.getBytes(StandardCharsets.UTF_8));
        }
        page.append(line);
        if (page.length() > 200_000) {
            sentBytes += page.length();
            page.setLength(0);
        }
        sentBytes += frame.size();
    }
}
