package com.acme.deploy;

import com.acme.run.Pace;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/** Deploys web applications anew. The server's list of gauges keeps one of each, and that its class loader. */
public class Deployer {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(15); i++) {
                WebappLoader loader = new WebappLoader(Deployer.class.getClassLoader());
                Constructor<?> made = loader.loadClass("com.acme.deploy.Webapp").getDeclaredConstructor();
                made.setAccessible(true);
                Gauges.add((LongSupplier) made.newInstance());
                if (pace.isFixed()) {
                    Gauges.removeLast();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Gauges {
    private static final List<LongSupplier> registered = new ArrayList<>();

    static void add(LongSupplier gauge) {
        registered.add(gauge);
    }

    static void removeLast() {
        registered.remove(registered.size() - 1);
    }
}

class WebappLoader extends ClassLoader {
    WebappLoader(ClassLoader parent) {
        super(parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("com.acme.deploy.Webapp") || name.equals("com.acme.deploy.WebappLoader")) {
            return super.loadClass(name, resolve);
        }
        Class<?> known = findLoadedClass(name);
        if (known != null) {
            return known;
        }
        try (InputStream file = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            byte[] code = file.readAllBytes();
            return defineClass(name, code, 0, code.length);
        } catch (IOException error) {
            throw new ClassNotFoundException(name, error);
        }
    }
}

/** An application, loaded anew for every deployment; its statics are what takes the room. */
class Webapp implements LongSupplier {
    private static final List<WebappPage> pages = new ArrayList<>();

    public Webapp() {
        for (int i = 0; i < 40; i++) {
            pages.add(new WebappPage("/page/" + i));
        }
    }

    @Override
    public long getAsLong() {
        return pages.size();
    }
}

class WebappPage {
    final String address;
    final byte[] template = new byte[1500];

    WebappPage(String address) {
        this.address = address;
    }
}
