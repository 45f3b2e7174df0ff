package com.acme.portal;

import com.acme.run.Pace;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A portal. Each dashboard subscribes to the event bus when it opens, and never leaves it. */
public class Portal {
    private final EventBus bus = new EventBus();
    private final List<Widget> widgets = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Portal portal = new Portal();
        for (int i = 0; i < 400; i++) {
            portal.widgets.add(new Widget("widget-" + i));
        }
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(400); i++) {
                Dashboard dashboard = new Dashboard("dashboard " + number++, portal.bus);
                dashboard.open();
                dashboard.close(pace.isFixed());
            }
            portal.bus.publish("tick " + step);
            pace.endOfStep(step);
        }
    }
}

class Widget {
    final String name;
    final byte[] style = new byte[1000];

    Widget(String name) {
        this.name = name;
    }
}

class EventBus {
    private final List<Consumer<String>> listeners = new ArrayList<>();

    void subscribe(Consumer<String> listener) {
        listeners.add(listener);
    }

    void leave(Consumer<String> listener) {
        listeners.remove(listener);
    }

    void publish(String event) {
        for (Consumer<String> each : listeners) {
            each.accept(event);
        }
    }
}

class Dashboard {
    private final String title;
    private final EventBus bus;
    private final double[] series = new double[250];
    private Consumer<String> subscription;
    private String shown = "";

    Dashboard(String title, EventBus bus) {
        this.title = title;
        this.bus = bus;
    }

    void open() {
        subscription = event -> shown = title + ": " + event;
        bus.subscribe(subscription);
    }

    void close(boolean leave) {
        if (leave) {
            bus.leave(subscription);
        }
        subscription = null;
        series[0] = shown.length();
    }
}
