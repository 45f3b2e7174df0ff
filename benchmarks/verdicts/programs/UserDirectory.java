package com.acme.users;

import com.acme.run.Pace;
import com.google.common.cache.LocalCache;

/** A library's cache without a bound in a static field. */
public class UserDirectory {
    private static final LocalCache<Long, User> USERS = new LocalCache<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        long asked = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                long id = pace.isFixed() ? asked++ % 300 : asked++;
                if (USERS.get(id) == null) {
                    USERS.put(id, new User("user-" + id));
                }
            }
            pace.endOfStep(step);
        }
    }
}

class User {
    final String name;
    final byte[] picture = new byte[500];

    User(String name) {
        this.name = name;
    }
}
