package com.acme.search;

import com.acme.run.Pace;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;

/** A search index. It meets new words all the time, but there are 6,000 words in its language and no more. */
public class Search {
    private static final int VOCABULARY = 6000;

    public static void main(String[] args) throws Exception {
        Pace pace = new Pace(args);
        Dictionary dictionary = new Dictionary();
        Random text = new Random(3);
        for (int step = 1; step <= Pace.STEPS; step++) {
            for (int i = 0; i < pace.operations(6000); i++) {
                dictionary.word("word" + text.nextInt(VOCABULARY)).occurrences++;
            }
            pace.endOfStep(step);
        }
    }
}

class Word {
    final String text;
    final int[] documents = new int[250];
    long occurrences;

    Word(String text) {
        this.text = text;
    }
}

class Dictionary {
    private final Map<String, Word> words = new HashMap<>();

    Word word(String text) {
        return words.computeIfAbsent(text, Word::new);
    }
}
