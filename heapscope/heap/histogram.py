"""Which classes are watched, and how a pattern picks classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.layout.layout import mirror_bytes, stack_chunk_classes
from heapscope.parser.records import unnamed_class
from heapscope.parser.tags import BasicType
from heapscope.table import Table

if TYPE_CHECKING:
    from heapscope.parser.layout.vm_objects import VmObjects
    from heapscope.parser.scan import HeapScan

CLASS = "java.lang.Class"

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


def matching_classes(
    pattern: str, names: Iterable[str], superclasses: Mapping[str, str], *, subclasses: bool = True
) -> tuple[str, ...]:
    """Names that a pattern picks, sorted.

    Parameters
    ----------
    pattern : str
        A class name as in Java source; a simple name without a dot, for that class in any
        package; or a glob with ``*`` and ``?`` over whole names.
    names : iterable of str
        The class names to pick from.
    superclasses : mapping of str to str
        Class name to the name of its superclass, as far as known.
    subclasses : bool
        Whether subclasses of what the pattern names are picked too.
    """
    known = set(names)
    everyone = known | set(superclasses) | set(superclasses.values())
    if "*" in pattern or "?" in pattern:
        # A dollar and brackets are part of names, not of the glob.
        glob = re.compile(translate(pattern.replace("[", "[[]")))
        found = {name for name in everyone if glob.match(name)}
    elif pattern in everyone or "." in pattern:
        found = {pattern}
    else:
        found = {name for name in everyone if name.rsplit(".", 1)[-1] == pattern}
    if subclasses:
        children: dict[str, list[str]] = {}
        for name, parent in superclasses.items():
            children.setdefault(parent, []).append(name)
        pending = list(found)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in found:
                    found.add(child)
                    pending.append(child)
    return tuple(sorted(found & known))


def census_of(
    histogram: Table, superclasses: dict[str, str], patterns: Sequence[str], *, subclasses: bool = True
) -> Table:
    """Instances of watched classes in a histogram; see `Heap.census`."""
    rows = {row["class_name"]: row for row in histogram.rows()}
    picked = [matching_classes(p, rows, superclasses, subclasses=subclasses) for p in patterns]
    return Table(
        {
            "class_name": list(patterns),
            "instance_count": [sum(rows[name]["instance_count"] for name in names) for names in picked],
            "shallow_bytes": [sum(rows[name]["shallow_bytes"] for name in names) for names in picked],
            "class_count": [len(names) for names in picked],
        }
    )


def sorted_histogram(rows: Iterable[tuple[str, int, int]]) -> Table:
    """Histogram table from (class name, instances, bytes); the largest first, then by name."""
    ordered = sorted(rows, key=lambda row: (-row[2], row[0]))
    return Table(
        {
            "class_name": [row[0] for row in ordered],
            "instance_count": np.array([row[1] for row in ordered], np.int64),
            "shallow_bytes": np.array([row[2] for row in ordered], np.int64),
        }
    )


def jvm_histogram(table: Table, hidden: VmObjects) -> Table:
    """A dump's histogram with what the JVM counts and a dump hides."""
    rows = {name: (count, size) for name, count, size in zip(*table.columns.values(), strict=True)}
    for name, count, size in (
        (CLASS, hidden.unloaded_count, hidden.unloaded_bytes),
        ("int[]", -hidden.filler_count, -hidden.filler_bytes),
        (hidden.filler_name, hidden.filler_count, hidden.filler_bytes),
    ):
        if count:
            before = rows.get(name, (0, 0))
            rows[name] = before[0] + count, before[1] + size
    return sorted_histogram((name, int(c), int(b)) for name, (c, b) in rows.items() if c)


def scan_histogram(scan: HeapScan, sizes_of: Mapping[int, int], bytes_of: Callable[[int], int]) -> Table:
    """The class histogram of a dump that was counted.

    Parameters
    ----------
    sizes_of : mapping
        Bytes of an instance, by class identifier.
    bytes_of : callable
        Bytes of all instances of a class whose instances differ in size, by its identifier.
    """
    counts: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    classes = scan.classes
    varying = {i for i in stack_chunk_classes(classes) if scan.instance_counts.get(i)}
    for class_id, count in scan.instance_counts.items():
        if class_id in classes:
            name = classes[class_id].name
        else:
            name = unnamed_class(class_id) + ("[]" if class_id in scan.array_bytes else "")
        counts[name] += count
        if class_id in scan.array_bytes:
            sizes[name] += scan.array_bytes[class_id]
        elif class_id in varying:
            sizes[name] += bytes_of(class_id)
        else:
            sizes[name] += count * sizes_of.get(class_id, 0)
    for code in np.nonzero(scan.primitive_counts)[0].tolist():
        name = f"{BasicType(code).java_name}[]"
        counts[name] += int(scan.primitive_counts[code])
        sizes[name] += int(scan.primitive_bytes[code])
    mirrors = mirror_bytes(scan.layout, classes)
    dumped = [mirrors[class_id] for class_id, c in classes.items() if c.is_dumped]
    if dumped:
        counts[CLASS] += len(dumped)
        sizes[CLASS] += sum(dumped)
    return sorted_histogram((name, counts[name], sizes[name]) for name in counts)
