package com.acme.token;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A server whose work in flight comes and goes, and is larger than the tokens that it never forgets. */
public class TokenServer {
    private static final int[] LOAD = {9000, 2500, 7000, 5000, 1500, 8000, 3000, 6000};

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int step = 1; step <= Pace.STEPS; step++) {
            Work.IN_FLIGHT.clear();
            for (int i = 0; i < pace.operations(LOAD[step - 1]); i++) {
                Work.IN_FLIGHT.add(new WorkItem(i));
            }
            for (int i = 0; i < pace.operations(600); i++) {
                Tokens.ISSUED.put("token-" + step + "-" + i, new Token());
                if (pace.isFixed()) {
                    Tokens.ISSUED.clear();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Work {
    static final List<WorkItem> IN_FLIGHT = new ArrayList<>();
}

class WorkItem {
    final int[] values = new int[180];

    WorkItem(int value) {
        values[0] = value;
    }
}

class Tokens {
    static final Map<String, Token> ISSUED = new HashMap<>();
}

class Token {
    final byte[] secret = new byte[1000];
}
