"""Make ``watch.csv``: a real ``heapscope watch`` of three workers, each growing in its own way.

::

    sudo python sample_dumps/make_watch.py -o sample_dumps/watch.csv

Three Python processes, named as TensorFlow names its workers, embed a JVM and read HDFS through Hadoop's
own classes, as those of ``make_samples.py`` do:

- ``worker:0`` has ``KERB_TICKET_CACHE_PATH`` set: one more file system for each read, in the Java heap;
- ``worker:1`` finds its ticket by ``KRB5CCNAME``, and C code in it loses 1 MB a second;
- ``worker:2`` is well.

Runs in a UTS namespace of its own (``unshare --uts``, which takes root), so that the samples name the host
``train-0`` and not the machine they were made on.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from make_samples import environment, serve, stage_configuration, stage_jars, stage_jpype

HERE = Path(__file__).resolve().parent
HOST = "train-0"
LEAKING_NATIVE = "HEAPSCOPE_SAMPLE_NATIVE_LEAK"
READS, EVERY, SECONDS = 560, "2s", 64  # the JVM's 64 MB would be full after 613


def leak_native() -> None:
    """Lose 100 kB of malloc's memory ten times a second, as a library with a bug does."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    while True:
        for _ in range(100):
            libc.memset(libc.malloc(1000), 1, 1000)
        time.sleep(0.1)


def worker() -> None:
    """One of the three processes; reads as often as standard input says."""
    if os.environ.get(LEAKING_NATIVE):
        # The leak in the main thread: malloc gives other threads arenas of their own.
        threading.Thread(target=serve, daemon=True).start()
        leak_native()
    serve()


def watch(stage: Path, jdk: Path, output: Path) -> None:
    """Start the workers, watch them, end them."""
    started: list[subprocess.Popen[str]] = []
    try:
        for index, (leaks, native) in enumerate(((True, False), (False, True), (False, False))):
            variables = environment(stage, jdk, leaks) | ({LEAKING_NATIVE: "1"} if native else {})
            command = [sys.executable, "-s", __file__, "--job_name=worker", f"--task_index={index}"]
            pipe = subprocess.PIPE
            one = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, text=True, cwd=stage / "home", env=variables
            )
            started.append(one)
            assert one.stdin is not None
            assert one.stdout is not None
            if one.stdout.readline() != "ready\n":
                raise SystemExit(f"worker {index} did not start")
            one.stdin.write("20\n")  # what the first reads load is no growth
            one.stdin.flush()
            if one.stdout.readline() != "done\n":
                raise SystemExit(f"worker {index} did not connect")
        for one in started:
            assert one.stdin is not None
            one.stdin.write(f"{READS}\n")
            one.stdin.flush()
        pids = [str(one.pid) for one in started]
        options = ["--every", EVERY, "--for", f"{SECONDS}s", "-o", str(output)]
        subprocess.run([sys.executable, "-m", "heapscope", "watch", *pids, *options], check=True)
    finally:
        for one in started:
            one.kill()
            one.wait()


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the sample of a watch.")
    parser.add_argument("--hadoop-jars", type=Path, help="folder with the Hadoop jars; by default downloaded")
    parser.add_argument("--stage", type=Path, default=Path("/tmp/heapscope-samples"), help="scratch folder")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "watch.csv", help="where the samples go")
    parser.add_argument("--job_name", help=argparse.SUPPRESS)
    parser.add_argument("--task_index", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job_name:
        worker()
        return 0
    if socket.gethostname() != HOST:
        again = [sys.executable, *sys.argv]
        script = f'hostname {HOST} && exec "$@"'
        os.execvp("unshare", ["unshare", "--uts", "sh", "-c", script, "sh", *again])
    java = shutil.which("java")
    if java is None:
        raise SystemExit("no java on the PATH")
    if options.output.exists():
        raise SystemExit(f"{options.output}: exists already; a watch would append to it")
    stage: Path = options.stage
    stage.mkdir(mode=0o700)
    try:
        stage_jars(stage, options.hadoop_jars)
        stage_jpype(stage)
        stage_configuration(stage)
        watch(stage, Path(java).resolve().parents[1], options.output)
    finally:
        shutil.rmtree(stage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
