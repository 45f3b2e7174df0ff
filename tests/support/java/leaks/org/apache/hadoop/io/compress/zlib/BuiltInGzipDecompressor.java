package org.apache.hadoop.io.compress.zlib;

import java.util.zip.Inflater;

public class BuiltInGzipDecompressor {
    private final Inflater inflater = new Inflater(true);

    public void end() {
        inflater.end();
    }
}
