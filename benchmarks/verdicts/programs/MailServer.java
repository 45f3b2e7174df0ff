package com.acme.mail;

import com.acme.run.Pace;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;

/** A mail server. The thread that sends dies of the first address that it cannot parse; mails go on coming in. */
public class MailServer {
    private static Outbox outbox;

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        outbox = new Outbox();
        Sender sender = new Sender(outbox, pace.isFixed());
        sender.setDaemon(true);
        sender.start();
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(600); i++) {
                String address = ++number == 40 ? "broken" : "user" + number + "@acme.com";
                outbox.post(new Mail(address, "Your order " + number + " is on its way"));
                if (pace.isFixed()) {
                    sender.sent.acquire();
                }
            }
            pace.endOfStep(step);
        }
    }
}

class Mail {
    final String to;
    final String subject;
    final StringBuilder body = new StringBuilder();

    Mail(String to, String subject) {
        this.to = to;
        this.subject = subject;
        body.append("Dear customer,\n").append(subject).append(".\n".repeat(300));
    }
}

class Outbox {
    private final BlockingQueue<Mail> pending = new LinkedBlockingQueue<>();

    void post(Mail mail) {
        pending.add(mail);
    }

    Mail next() throws InterruptedException {
        return pending.take();
    }
}

class Sender extends Thread {
    final Semaphore sent = new Semaphore(0);
    private final Outbox outbox;
    private final boolean careful;
    private long bytes;

    Sender(Outbox outbox, boolean careful) {
        super("mail-sender");
        this.outbox = outbox;
        this.careful = careful;
        setUncaughtExceptionHandler((thread, error) -> {});
    }

    @Override
    public void run() {
        try {
            while (true) {
                Mail mail = outbox.next();
                if (mail.to.indexOf('@') < 0 && !careful) {
                    throw new IllegalArgumentException(mail.to);
                }
                bytes += mail.body.length();
                sent.release();
            }
        } catch (InterruptedException ended) {
            interrupt();
        }
    }
}
