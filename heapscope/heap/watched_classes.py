"""The classes that are watched where nobody names others: those of the leak that libhdfs makes."""

from __future__ import annotations

# What the mission's leak is made of: each leaked connect adds to every one of these.
WATCHED_CLASSES: tuple[str, ...] = (
    "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.security.UserGroupInformation",
    "javax.security.auth.Subject",
    "org.apache.hadoop.fs.FileSystem$Cache$Key",
    "org.apache.hadoop.hdfs.DFSClient",
    "org.apache.hadoop.conf.Configuration",
)

# A class histogram has no superclasses. These subclasses of the watched classes are known by
# name (Hadoop 2.6 to 3.5, hadoop-common, -hdfs-client, -aws, -azure, -yarn); dumps in the
# same series add their own.
KNOWN_SUPERCLASSES: dict[str, str] = {
    "org.apache.hadoop.hdfs.DistributedFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.hdfs.ViewDistributedFileSystem": "org.apache.hadoop.hdfs.DistributedFileSystem",
    "org.apache.hadoop.hdfs.web.WebHdfsFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.hdfs.web.SWebHdfsFileSystem": "org.apache.hadoop.hdfs.web.WebHdfsFileSystem",
    "org.apache.hadoop.fs.FilterFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.ChecksumFileSystem": "org.apache.hadoop.fs.FilterFileSystem",
    "org.apache.hadoop.fs.LocalFileSystem": "org.apache.hadoop.fs.ChecksumFileSystem",
    "org.apache.hadoop.fs.RawLocalFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.HarFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.ftp.FTPFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.sftp.SFTPFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.http.AbstractHttpFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.http.HttpFileSystem": "org.apache.hadoop.fs.http.AbstractHttpFileSystem",
    "org.apache.hadoop.fs.http.HttpsFileSystem": "org.apache.hadoop.fs.http.AbstractHttpFileSystem",
    "org.apache.hadoop.fs.viewfs.ViewFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme": "org.apache.hadoop.fs.viewfs.ViewFileSystem",
    "org.apache.hadoop.fs.s3a.S3AFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.azurebfs.AzureBlobFileSystem": "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.fs.azurebfs.SecureAzureBlobFileSystem": (
        "org.apache.hadoop.fs.azurebfs.AzureBlobFileSystem"
    ),
    "org.apache.hadoop.hdfs.HdfsConfiguration": "org.apache.hadoop.conf.Configuration",
    "org.apache.hadoop.yarn.conf.YarnConfiguration": "org.apache.hadoop.conf.Configuration",
    "org.apache.hadoop.mapred.JobConf": "org.apache.hadoop.conf.Configuration",
    "org.apache.hadoop.hive.conf.HiveConf": "org.apache.hadoop.mapred.JobConf",
}
