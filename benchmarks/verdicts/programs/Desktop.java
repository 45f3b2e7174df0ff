package com.acme.desk;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;

/** A desktop. The menu keeps an action of each document, and the action, an inner class, its document. */
public class Desktop {
    private static Desktop current;
    private final Menu menu = new Menu();
    private final List<byte[]> icons = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        current = new Desktop();
        for (int i = 0; i < 300; i++) {
            current.icons.add(new byte[2000]);
        }
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(350); i++) {
                Document document = new Document("letter-" + number++ + ".txt");
                document.open(current.menu);
                document.close(current.menu, pace.isFixed());
            }
            pace.endOfStep(step);
        }
    }
}

interface Action {
    String label();
}

class Menu {
    private final List<Action> actions = new ArrayList<>();

    void add(Action action) {
        actions.add(action);
    }

    void remove(Action action) {
        actions.remove(action);
    }
}

class Document {
    private final String name;
    private final char[] text = new char[1200];
    private Action save;

    Document(String name) {
        this.name = name;
    }

    void open(Menu menu) {
        save = new Action() {
            @Override
            public String label() {
                return "Save " + name;
            }
        };
        menu.add(save);
    }

    void close(Menu menu, boolean tidy) {
        text[0] = save.label().charAt(0);
        if (tidy) {
            menu.remove(save);
        }
    }
}
