package com.acme.plugin;

import com.acme.run.Pace;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A host of plugins, each in a class loader of its own. The plugin compiles a rule again for every request. */
public class PluginHost {
    /** What a plugin's classes, of another loader, share with the host. */
    public interface Plugin {
        boolean handle(String request, boolean reuse);
    }

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        PluginLoader loader = new PluginLoader(PluginHost.class.getClassLoader());
        Constructor<?> engine = loader.loadClass("com.acme.plugin.RuleEngine").getDeclaredConstructor();
        engine.setAccessible(true);
        Plugin plugin = (Plugin) engine.newInstance();
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                plugin.handle("amount > " + number++, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

/** Loads the classes of the plugin itself, and asks its parent for all others. */
class PluginLoader extends ClassLoader {
    PluginLoader(ClassLoader parent) {
        super("rules-plugin", parent);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("com.acme.plugin.Rule") && !name.startsWith("com.acme.plugin.Compiled")) {
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

class CompiledRule {
    final String source;
    final int[] program = new int[200];

    CompiledRule(String source) {
        this.source = source;
    }
}

class RuleEngine implements PluginHost.Plugin {
    private static final Map<String, CompiledRule> compiled = new ConcurrentHashMap<>();

    public RuleEngine() {}

    @Override
    public boolean handle(String request, boolean reuse) {
        String key = reuse ? request.substring(0, 8) : request;
        return compiled.computeIfAbsent(key, CompiledRule::new).program[0] == 0;
    }
}
