package org.apache.hadoop.hdfs;

import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.security.UserGroupInformation;

public class DistributedFileSystem extends FileSystem {
    private final URI uri;
    private final DFSClient dfs;

    public DistributedFileSystem(URI uri, Configuration conf, UserGroupInformation ugi) {
        super(conf);
        this.uri = uri;
        this.dfs = new DFSClient(ugi);
    }
}
