package com.acme.widgets;

import com.acme.run.Pace;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;

/** Loads widgets anew. Each starts a thread that is never ended, and that keeps its class loader. */
public class Widgets {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(8); i++) {
                WidgetLoader loader = new WidgetLoader(Widgets.class.getClassLoader());
                Constructor<?> made = loader.loadClass("com.acme.widgets.Widget").getDeclaredConstructor();
                made.setAccessible(true);
                Runnable widget = (Runnable) made.newInstance();
                widget.run();
                if (pace.isFixed()) {
                    ((AutoCloseable) widget).close();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class WidgetLoader extends ClassLoader {
    WidgetLoader(ClassLoader parent) {
        super(parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("com.acme.widgets.Widget") || name.equals("com.acme.widgets.WidgetLoader") || name.equals("com.acme.widgets.Widgets")) {
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

class Widget implements Runnable, AutoCloseable {
    private static final byte[][] THEME = new byte[40][1500];
    private final Thread heartbeat = new WidgetHeartbeat();

    public Widget() {}

    @Override
    public void run() {
        heartbeat.setDaemon(true);
        heartbeat.start();
    }

    @Override
    public void close() throws InterruptedException {
        heartbeat.interrupt();
        heartbeat.join();
    }
}

class WidgetHeartbeat extends Thread {
    WidgetHeartbeat() {
        super("widget heartbeat");
    }

    @Override
    public void run() {
        try {
            synchronized (this) {
                while (true) {
                    wait();
                }
            }
        } catch (InterruptedException ended) {
            return;
        }
    }
}
