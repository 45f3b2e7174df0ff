"""Small series of snapshots for the reporter's tests: figures by hand, a process by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from heapscope.analysis.growth.snapshot import ProcessFacts, Snapshot
from heapscope.analysis.snapshots import Snapshots
from heapscope.heap.heap import Heap
from heapscope.heap.histogram import sorted_histogram
from heapscope.parser.layout.layout import Layout
from heapscope.parser.tags import BasicType
from heapscope.progress import Progress, no_progress

START = datetime(2026, 11, 23, 9, 14, 2, 120_000, tzinfo=UTC)

FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem"

# What must never be seen in a report, wherever it was planted.
PLANTED = ("hunter2", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9", "QIBADANsecretBODY")

ENVIRONMENT = {
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "CLASSPATH": "/opt/hadoop/lib/hadoop-auth-3.3.6.jar:/etc/hadoop",
    "DATABASE_URL": "postgres://app:hunter2@db/prod",
    "HADOOP_OPTS": "-Ddb.password=hunter2 -Dx.y=AKIAIOSFODNN7EXAMPLE",
    "HOSTNAME": "worker-3",
    "KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_1000",
    "LIBHDFS_OPTS": "-Xmx64m -Djavax.net.ssl.trustStorePassword=hunter2 -XX:+StartAttachListener",
    "PATH": "/usr/bin:/bin",
    "SSH_DEPLOY": "-----BEGIN PRIVATE KEY-----\nQIBADANsecretBODY\n-----END PRIVATE KEY-----",
    "TF_CONFIG": '{"task": {"index": 0}, "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}',
}
PROPERTIES = {
    "app.password": "hunter2",
    "java.home": "/usr/lib/jvm/java-17",
    "java.runtime.name": "OpenJDK Runtime Environment",
    "java.runtime.version": "17.0.15+6",
    "java.vm.name": "OpenJDK 64-Bit Server VM",
    "java.vm.vendor": "Debian",
    "java.vm.version": "17.0.15+6",
    "line.separator": "\n",
    "os.arch": "amd64",
    "os.name": "Linux",
    "os.version": "6.1",
    "sun.java.command": "org.example.Train --user bob --pin hunter2",
    "user.dir": "/job",
    "user.name": "trainer",
}
LAYOUT = Layout(
    reference_bytes=4,
    word_bytes=8,
    object_header_bytes=12,
    array_bases=((BasicType.BYTE, 16), (BasicType.OBJECT, 16)),
    alignment_bytes=8,
    release=17,
    rule="hotspot-15",
    confidence="exact",
    evidence="written by hand",
)
FACTS = ProcessFacts(
    environment=ENVIRONMENT,
    system_properties=PROPERTIES,
    thread_count=10,
    root_counts={"thread": 10, "JNI global": 2185, "Java frame": 35},
    layout=LAYOUT,
    format_version="1.0.2",
    identifier_bytes=8,
    class_count=3592,
    implied_root_count=0,
)

# Class name -> (instances in each snapshot, bytes of one).
LEAK: dict[str, tuple[tuple[int, ...], int]] = {
    "org.apache.hadoop.hdfs.DistributedFileSystem": ((10, 60, 110, 160), 48),
    "org.apache.hadoop.security.UserGroupInformation": ((31, 181, 331, 481), 24),
    "javax.security.auth.Subject": ((10, 60, 110, 160), 32),
    "org.apache.hadoop.fs.FileSystem$Cache$Key": ((10, 60, 110, 160), 32),
    "org.apache.hadoop.conf.Configuration": ((12, 12, 112, 162), 48),
    "java.util.HashMap$Node[]": ((700, 750, 740, 790), 112),
    "byte[]": ((20_000, 20_700, 21_400, 22_100), 100),
    "app.Gone": ((40, 30, 10, 0), 16),
    "java.lang.Class": ((3600, 3600, 3600, 3600), 120),
}


@dataclass(frozen=True)
class HandmadeSnapshot(Snapshot):
    """A snapshot whose process is made up."""

    made_up_facts: ProcessFacts | None = None

    def open(self, progress: Progress = no_progress) -> Heap | None:
        return None

    def facts(self, progress: Progress = no_progress, opened: Heap | None = None) -> ProcessFacts | None:
        return self.made_up_facts


def series(
    classes: Mapping[str, tuple[Sequence[int], int]] = LEAK,
    *,
    facts: ProcessFacts | None = FACTS,
    step: timedelta = timedelta(minutes=10),
    names: Sequence[str] | None = None,
) -> Snapshots:
    """Snapshots with these counts, one every ``step``; the last one knows its process."""
    count = len(next(iter(classes.values()))[0])
    made = []
    for index in range(count):
        name = names[index] if names else f"train-{index + 1}"
        rows = [(one, counts[index], counts[index] * size) for one, (counts, size) in classes.items()]
        snapshot = HandmadeSnapshot(
            path=Path(f"/dumps/{name}.hprof"),
            name=name,
            kind="heap dump",
            captured_at=START + index * step,
            captured_at_source="dump header",
            histogram=sorted_histogram([row for row in rows if row[1]]),
            superclasses={},
            root_counts={},
        )
        made.append(replace(snapshot, made_up_facts=facts) if index == count - 1 else snapshot)
    return Snapshots(made)
