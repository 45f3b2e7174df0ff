package com.acme.wiki;

import com.acme.run.Pace;

/** A browser of a wiki. Each page knows the visit that led to it, and each visit the page before. */
public class Wiki {
    private Page current = new Page("home");

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Wiki wiki = new Wiki();
        long pages = 0;
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(900); i++) {
                wiki.visit("page-" + pages++, pace.isFixed());
            }
            pace.endOfStep(step);
        }
        System.out.println(wiki.current.title);
    }

    private void visit(String title, boolean forget) {
        Page page = new Page(title);
        if (!forget) {
            page.cameFrom = new Visit(current);
        }
        current = page;
    }
}

class Page {
    final String title;
    final byte[] html = new byte[600];
    Visit cameFrom;

    Page(String title) {
        this.title = title;
    }
}

class Visit {
    final Page page;

    Visit(Page page) {
        this.page = page;
    }
}
