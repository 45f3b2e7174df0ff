package com.acme.script;

import com.acme.run.Pace;

/** Runs scripts. Each has a ThreadLocal of its own, whose value refers to the script: the entry is never stale. */
public class Interpreter {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                Script script = new Script("script-" + i);
                script.run();
                if (pace.isFixed()) {
                    script.end();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Script {
    private final String name;
    private final byte[] code = new byte[900];
    private final ThreadLocal<ScriptState> state = new ThreadLocal<>();

    Script(String name) {
        this.name = name;
    }

    void run() {
        state.set(new ScriptState(this));
    }

    void end() {
        state.remove();
    }
}

class ScriptState {
    final Script script;
    int line;

    ScriptState(Script script) {
        this.script = script;
    }
}
