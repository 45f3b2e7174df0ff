package com.acme.calendar;

import com.acme.run.Pace;
import java.util.Timer;
import java.util.TimerTask;

/** A calendar. Reminders of a meeting that was moved stay in the timer until they are due, in a year. */
public class Reminders {
    private static final Timer TIMER = new Timer("reminders", true);

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        int number = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(500); i++) {
                Reminder reminder = new Reminder(new Meeting("meeting " + number++));
                TIMER.schedule(reminder, 365L * 24 * 3600 * 1000);
                reminder.cancel();
                if (pace.isFixed()) {
                    TIMER.purge();
                }
            }
            pace.endOfStep(step);
        }
        System.exit(0);
    }
}

class Meeting {
    final String title;
    final byte[] notes = new byte[800];

    Meeting(String title) {
        this.title = title;
    }
}

class Reminder extends TimerTask {
    final Meeting meeting;

    Reminder(Meeting meeting) {
        this.meeting = meeting;
    }

    @Override
    public void run() {
        meeting.notes[0]++;
    }
}
