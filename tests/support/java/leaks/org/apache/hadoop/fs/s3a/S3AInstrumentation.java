package org.apache.hadoop.fs.s3a;

public class S3AInstrumentation {
    private final long[] counters = new long[50];
}
