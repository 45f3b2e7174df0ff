"""A process of the demo's cluster: ``python -m heapscope.demo.worker --job_name=worker --task_index=0 ...``.

A worker embeds a JVM as libhdfs does and "reads" as TensorFlow 0.12 to 1.13.1 did: every read connects
again, and never gives its handle back.  It reads as often as its standard input says: each line is the number
of reads since the start, and is answered with the same line once they are done.  It ends with its input.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from heapscope.demo.hadoop import NAME_NODE

READY = "ready"


class HdfsReader:
    """Hadoop's client in a JVM in this process, and the handles that nobody closes."""

    def __init__(self) -> None:
        jpype: Any = import_module("jpype")
        options = shlex.split(os.environ["LIBHDFS_OPTS"])  # libhdfs reads these two as well
        jvm = Path(os.environ["JAVA_HOME"], "lib", "server", "libjvm.so")
        jpype.startJVM(str(jvm), *options, classpath=os.environ["CLASSPATH"].split(os.pathsep))
        self._configuration_class = jpype.JClass("org.apache.hadoop.conf.Configuration")
        self._file_system_class = jpype.JClass("org.apache.hadoop.fs.FileSystem")
        self._uri = jpype.JClass("java.net.URI")(NAME_NODE)
        # JPype holds a JNI global reference for every Java object that Python holds: exactly what
        # libhdfs's hdfsConnect returns, and what TensorFlow never gave back.
        self.handles: list[Any] = []

    def read_until(self, count: int) -> None:
        """Connect until there are ``count`` handles."""
        ticket_cache = os.environ.get("KERB_TICKET_CACHE_PATH")
        while len(self.handles) < count:
            # hdfsBuilderConnect: new Configuration, the ticket cache path, FileSystem.get(uri, conf, user).
            configuration = self._configuration_class()
            if ticket_cache is not None:
                configuration.set("hadoop.security.kerberos.ticket.cache.path", ticket_cache)
            self.handles.append(self._file_system_class.get(self._uri, configuration, None))


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_name", choices=["ps", "worker"], required=True)
    parser.add_argument("--task_index", type=int, required=True)
    options = parser.parse_args()
    reader = HdfsReader() if options.job_name == "worker" else None
    if reader is not None:
        reader.read_until(1)  # loads Hadoop's classes, which takes some seconds
    _say(READY)
    for line in sys.stdin:
        if reader is not None:
            reader.read_until(int(line))
        _say(line.strip())


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
