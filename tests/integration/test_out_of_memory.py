"""A worker that leaks until its heap is full, and the dump that its JVM writes at that moment.

Hadoop's own classes in a Python process with ``-Xmx64m -XX:+HeapDumpOnOutOfMemoryError``, as in the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.verdicts import CERTAIN
from heapscope.cli import main
from tests.support import hadoop
from tests.support.hadoop import FILE_SYSTEM, KEY, Stage

pytestmark = pytest.mark.hadoop
DISTRIBUTED = "org.apache.hadoop.hdfs.DistributedFileSystem"
TICKET_LEAK = "hadoop-fs-per-ticket-cache-login"
BUFFER_BYTES = 6_000_000  # the file that a worker reads: what the heap has no room for in the end


@dataclass(frozen=True)
class Crash:
    """What was seen of the worker, and by whom.

    Attributes
    ----------
    dump : Path
        Written by the JVM itself.
    histograms : list of Path
        Collected on the way, of 150, 300 and 450 connects.
    connects : int
        That the worker held when it was told that there is no memory.
    counted : dict
        What the JVM, which lives on, says is left of the classes of the leak.
    began, ended : datetime
        Between these it all happened.
    """

    dump: Path
    histograms: list[Path]
    connects: int
    counted: dict[str, int]
    began: datetime
    ended: datetime


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    stage = Stage.make(tmp_path_factory.mktemp("out-of-memory"))
    dump, folder = stage.folder / "java_pid.hprof", stage.folder / "collected"
    variables = stage.environment(leaks=True)
    options = "-XX:+HeapDumpOnOutOfMemoryError", f"-XX:HeapDumpPath={dump}", "-XX:+DisplayVMOutputToStderr"
    variables["LIBHDFS_OPTS"] = " ".join((variables["LIBHDFS_OPTS"], *options))
    with stage.worker("jpype_worker", variables, f"--buffer={BUFFER_BYTES}") as worker:
        began = datetime.now(UTC)
        for connects in (150, 300, 450):
            assert worker.reach(connects) == f"done {connects}"
            assert main(["collect", str(worker.pid), "-o", str(folder), "--kind", "histogram"]) == 0
        outcome, held = worker.reach(10_000).split()
        ended = datetime.now(UTC)
        assert outcome == "OutOfMemoryError"
        counted = worker.watched()
    return Crash(dump, sorted(folder.glob("*.txt")), int(held), counted, began, ended)


def test_the_dump_counts_what_the_jvm_counts(crash: Crash) -> None:
    assert crash.connects > 450
    assert crash.counted[FILE_SYSTEM] == crash.connects
    with heapscope.open(crash.dump) as heap:
        assert {name: len(heap.objects(name)) for name in hadoop.WATCHED} == crash.counted
        roots = heap.gc_roots
        held = roots[roots["class_name"] == DISTRIBUTED]
        assert list(held["kind"]) == ["JNI global"] * crash.connects
        # It fills the heap: 64 MB, less what the first connect takes and the room a buffer did not find.
        suspect = next(iter(heap.suspects()))
        assert (suspect.kind, suspect.class_name) == ("group", DISTRIBUTED)
        assert suspect.instance_count == crash.connects
        assert suspect.retained_bytes == heap.objects(FILE_SYSTEM).retained_bytes()
        assert suspect.share > 0.8
        assert 64 * 1024 * 1024 - suspect.retained_bytes < BUFFER_BYTES + 20e6


def test_when_it_began(crash: Crash) -> None:
    with heapscope.open(crash.dump) as heap:
        # The truth: each login has kept its time, in milliseconds.
        logins = heap.objects(KEY).to_frame("ugi.user.lastLogin")["ugi.user.lastLogin"].sort_values()
    first, last = (datetime.fromtimestamp(logins.iloc[place] / 1000, UTC) for place in (0, -1))
    assert crash.began < first < last < crash.ended
    # The dump alone says it to the millisecond,
    (finding,) = heapscope.diagnose(crash.dump).findings
    assert (finding.since, finding.since_is_estimate) == (first, False)
    # and of several snapshots it follows from the slope.
    diagnosis = heapscope.diagnose([*crash.histograms, crash.dump])
    (finding,) = diagnosis.findings
    assert (finding.id, finding.confidence) == (TICKET_LEAK, CERTAIN)
    assert finding.counts == (150, 300, 450, crash.connects)
    assert finding.since is not None
    assert finding.since_is_estimate
    assert abs(finding.since - first) < (last - first) / 2
    assert finding.per_hour is not None
    pace = crash.connects / ((last - first).total_seconds() / 3600)
    assert pace / 3 < finding.per_hour.value < pace * 3


def test_the_command_says_it_all(crash: Crash, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--fail-on-leak", str(crash.dump)]) == 1  # one dump is enough for that
    said = " ".join(capsys.readouterr().out.split())
    assert "Leak found: Every HDFS connect logs in anew and leaves one more file system behind" in said
    assert f"What {crash.connects} Hadoop file systems," in said
    assert "certain: the heap shows cause and effect" in said
    assert "Remove KERB_TICKET_CACHE_PATH from the environment of the process" in said
