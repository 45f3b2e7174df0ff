"""A process of the demo's cluster: ``python -m heapscope.demo.worker --job_name=worker --task_index=0 ...``.

A worker embeds a JVM as libhdfs does and "reads" as TensorFlow 0.12 to 1.13.1 did: every read connects
again, and never gives its handle back.  It ends when its standard input does.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from heapscope.demo.hadoop import NAME_NODE

READY = "ready"


def read_hdfs(connects: int, seconds: float) -> list[Any]:
    """Connect ``connects`` times, evenly over ``seconds``; returns the handles, which nobody closes.

    The first connect loads Hadoop's classes, which takes some seconds; `READY` is written after it, so that
    all that grows from then on is the leak.
    """
    jpype: Any = import_module("jpype")
    options = shlex.split(os.environ["LIBHDFS_OPTS"])  # libhdfs reads these two as well
    jvm = Path(os.environ["JAVA_HOME"], "lib", "server", "libjvm.so")
    jpype.startJVM(str(jvm), *options, classpath=os.environ["CLASSPATH"].split(os.pathsep))
    configuration_class = jpype.JClass("org.apache.hadoop.conf.Configuration")
    file_system_class = jpype.JClass("org.apache.hadoop.fs.FileSystem")
    uri = jpype.JClass("java.net.URI")(NAME_NODE)
    ticket_cache = os.environ.get("KERB_TICKET_CACHE_PATH")
    # JPype holds a JNI global reference for every Java object that Python holds: exactly what
    # libhdfs's hdfsConnect returns, and what TensorFlow never gave back.
    handles = []
    began = 0.0
    for number in range(connects):
        # hdfsBuilderConnect: new Configuration, the ticket cache path, FileSystem.get(uri, conf, user).
        configuration = configuration_class()
        if ticket_cache is not None:
            configuration.set("hadoop.security.kerberos.ticket.cache.path", ticket_cache)
        handles.append(file_system_class.get(uri, configuration, None))
        if number == 0:
            sys.stdout.write(f"{READY}\n")
            sys.stdout.flush()
            began = time.monotonic()
        time.sleep(max(0.0, began + (number + 1) * seconds / connects - time.monotonic()))
    return handles


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job_name", choices=["ps", "worker"], required=True)
    parser.add_argument("--task_index", type=int, required=True)
    parser.add_argument("--connects", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    handles: list[Any] = []
    if options.job_name == "worker":
        handles = read_hdfs(options.connects, options.seconds)
    else:
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
    for _ in sys.stdin:
        pass
    del handles[:]


if __name__ == "__main__":
    main()
