package org.apache.hadoop.conf;

public class Configured {
    protected final Configuration conf;

    public Configured(Configuration conf) {
        this.conf = conf;
    }
}
