package com.acme.shop;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A web shop. Whoever logs out stays in the static map of sessions. */
public class Shop {
    private static final int PRODUCTS = 2000;

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        for (int i = 0; i < PRODUCTS; i++) {
            Catalogue.PRODUCTS.put("SKU-" + i, new Product("SKU-" + i, 100 + i % 900));
        }
        long visitors = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(700); i++) {
                Session session = SessionRegistry.logIn("customer-" + visitors++);
                session.cart.add(Catalogue.PRODUCTS.get("SKU-" + visitors % PRODUCTS));
                session.attributes.put("locale", "de_DE");
                SessionRegistry.logOut(session, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

class Catalogue {
    static final Map<String, Product> PRODUCTS = new HashMap<>();
}

class Product {
    final String number;
    final int cents;
    final byte[] picture = new byte[300];

    Product(String number, int cents) {
        this.number = number;
        this.cents = cents;
    }
}

class Session {
    final String user;
    final Map<String, Object> attributes = new HashMap<>();
    final List<Product> cart = new ArrayList<>();
    final byte[] token = new byte[700];
    boolean isOpen = true;

    Session(String user) {
        this.user = user;
    }
}

class SessionRegistry {
    private static final Map<String, Session> sessions = new HashMap<>();
    private static final List<String> lastSeen = new ArrayList<>();

    static Session logIn(String user) {
        Session session = new Session(user);
        sessions.put(user, session);
        lastSeen.add(user);
        if (lastSeen.size() > 100) {
            lastSeen.remove(0);
        }
        return session;
    }

    static void logOut(Session session, boolean forget) {
        session.isOpen = false;
        if (forget) {
            sessions.remove(session.user);
        }
    }
}
