package com.acme.boot;

import com.acme.run.Pace;
import java.io.StringReader;
import java.lang.reflect.Proxy;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.text.Collator;
import java.text.NumberFormat;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathFactory;
import org.xml.sax.InputSource;

/** A service that warms up: for six steps it meets parts of the JDK that it has not used yet, then no more. */
public class Boot {
    private final Map<String, Template> templates = new HashMap<>();
    private final List<Object> stubs = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Boot boot = new Boot();
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(40); i++) {
                boot.serve(i, Math.min(step, 6));
            }
            pace.endOfStep(step);
        }
    }

    private void serve(int request, int known) throws Exception {
        // As many templates as the service has pages: 40 for each part that is known.
        String page = known + "/" + request;
        templates.computeIfAbsent(page, Template::new).render(request);
        if (known >= 1) {
            String.format(Locale.ROOT, "%08.3f %s", request / 7.0, ZonedDateTime.now(ZoneId.of("Europe/Berlin")));
        }
        if (known >= 2) {
            Locale locale = Locale.getAvailableLocales()[request % 24];
            NumberFormat.getCurrencyInstance(locale).format(request);
            DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(locale).format(ZonedDateTime.now());
        }
        if (known >= 3) {
            String text = "<order><line n='" + request + "'/></order>";
            Object document = DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(new InputSource(new StringReader(text)));
            XPathFactory.newInstance().newXPath().evaluate("/order/line/@n", document);
        }
        if (known >= 4) {
            Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(new byte[16], "AES"));
            cipher.doFinal(MessageDigest.getInstance("SHA-256").digest(page.getBytes()));
        }
        if (known >= 5 && request == 0) {
            KeyPairGenerator.getInstance("EC").generateKeyPair();
            Collator.getInstance(Locale.FRANCE).compare("a", "b");
        }
        if (known >= 6 && stubs.size() < 40) {
            Class<?>[] roles = {Runnable.class, IntSupplier.class, Comparable.class};
            stubs.add(Proxy.newProxyInstance(Boot.class.getClassLoader(), roles, (proxy, method, given) -> 0));
        }
    }
}

class Template {
    private final Pattern pattern;
    private final StringBuilder text = new StringBuilder();

    Template(String page) {
        pattern = Pattern.compile("\\{(\\w+)[./]" + Pattern.quote(page) + "\\}");
        text.append("{name/").append(page).append("} ".repeat(50));
    }

    String render(int number) {
        return pattern.matcher(text).replaceAll("number " + number);
    }
}
