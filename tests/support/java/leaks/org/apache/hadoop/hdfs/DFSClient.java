package org.apache.hadoop.hdfs;

import org.apache.hadoop.security.UserGroupInformation;

class DFSClient {
    final UserGroupInformation ugi;

    DFSClient(UserGroupInformation ugi) {
        this.ugi = ugi;
    }
}
