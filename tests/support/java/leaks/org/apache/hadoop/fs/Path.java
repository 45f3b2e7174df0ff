package org.apache.hadoop.fs;

public class Path implements Comparable<Path> {
    private final String text;

    public Path(String text) {
        this.text = text;
    }

    @Override
    public int compareTo(Path other) {
        return text.compareTo(other.text);
    }
}
