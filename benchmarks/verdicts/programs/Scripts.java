package com.acme.rules;

import com.acme.run.Pace;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.util.HashMap;
import java.util.Map;

/** Rules as scripts: each text is compiled by a class loader of its own and cached for ever. */
public class Scripts {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        byte[] code;
        try (InputStream in = Scripts.class.getResourceAsStream("Rule.class")) {
            code = in.readAllBytes();
        }
        long texts = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(60); i++) {
                String text = "amount > " + (pace.isFixed() ? 5 : texts++);
                Constructor<?> maker = ScriptCache.compile(text, code).getDeclaredConstructor();
                maker.setAccessible(true);
                maker.newInstance();
            }
            pace.endOfStep(step);
        }
    }
}

class ScriptLoader extends ClassLoader {
    ScriptLoader() {
        super(ScriptLoader.class.getClassLoader());
    }

    Class<?> define(byte[] code) {
        return defineClass("com.acme.rules.Rule", code, 0, code.length);
    }
}

class ScriptCache {
    private static final Map<String, Class<?>> COMPILED = new HashMap<>();

    static Class<?> compile(String text, byte[] code) {
        return COMPILED.computeIfAbsent(text, key -> new ScriptLoader().define(code));
    }
}

class Rule {
    static final Map<String, String> CONSTANTS = new HashMap<>();

    static {
        for (int i = 0; i < 100; i++) {
            CONSTANTS.put("constant-" + i, "value-" + i);
        }
    }
}
