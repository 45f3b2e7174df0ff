package com.acme.actors;

import com.acme.run.Pace;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Actors, each with a mailbox. None of them reads its mail. */
public class Actors {
    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        ActorSystem.current = new ActorSystem(100);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(2000); i++) {
                Actor actor = ActorSystem.current.actors[i % 100];
                actor.mailbox.add(new Message("tick " + i));
                if (pace.isFixed()) {
                    actor.mailbox.clear();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Message {
    final Object[] payload;

    Message(String kind) {
        payload = new Object[] {kind, new int[50]};
    }
}

class Actor {
    final ConcurrentLinkedQueue<Message> mailbox = new ConcurrentLinkedQueue<>();
}

class ActorSystem {
    static ActorSystem current;
    final Actor[] actors;

    ActorSystem(int count) {
        actors = new Actor[count];
        for (int i = 0; i < count; i++) {
            actors[i] = new Actor();
        }
    }
}
