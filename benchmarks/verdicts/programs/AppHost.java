package com.acme.host;

import com.acme.run.Pace;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A host of applications. What one leaves in a thread local of the pool keeps its class loader. */
public class AppHost {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        ExecutorService pool = Executors.newFixedThreadPool(4);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(40); i++) {
                AppLoader loader = new AppLoader(AppHost.class.getClassLoader());
                Constructor<?> app = loader.loadClass("com.acme.host.App").getDeclaredConstructor();
                app.setAccessible(true);
                pool.submit((Runnable) app.newInstance()).get();
                if (pace.isFixed()) {
                    pool.shutdown();
                    pool = Executors.newFixedThreadPool(4);
                }
            }
            pace.endOfStep(step);
        }
        System.exit(0);
    }
}

class AppLoader extends ClassLoader {
    final byte[] archive = new byte[40_000];

    AppLoader(ClassLoader parent) {
        super(parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("com.acme.host.App") || name.startsWith("com.acme.host.AppHost")) {
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

/** An application, loaded anew for every deployment. */
class App implements Runnable {
    private static final ThreadLocal<AppContext> CURRENT = new ThreadLocal<>();

    public App() {}

    @Override
    public void run() {
        CURRENT.set(new AppContext());
    }
}

class AppContext {
    final byte[] settings = new byte[5000];
}
