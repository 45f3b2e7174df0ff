"""The process beside a dump: what its job is, and that nothing is left when heapscope is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from heapscope.collector.job import Job
from heapscope.collector.stream import Filter
from heapscope.collector.watchdog import GONE, NO_FIFO, NO_WORD, bytes_wait
from heapscope.isolated_python import isolated_python

JOB = Job(
    root=-1,
    folder="heapscope-1-2-0123abcd",
    name="dump.hprof",
    is_streamed=True,
    is_split=True,
    owner=None,
    output="/out/x.part",
    output_fd=-1,
    output_folder_fd=-1,
    seconds=60.0,
    stall_seconds=20.0,
)


def test_a_job_travels_as_json() -> None:
    job = replace(JOB, owner=None, through=Filter("a:b", {"seed": 7}))
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(JOB.to_json()) == JOB


def test_a_jvm_opens_one_fifo_or_two_or_none() -> None:
    assert [path.name for path in JOB.fifos] == ["dump.hprof", "dump.hprof.p0"]
    assert [path.name for path in replace(JOB, is_split=False).fifos] == ["dump.hprof"]
    assert replace(JOB, is_streamed=False).fifos == []


def test_waiting_bytes_are_seen_whatever_has_the_name(tmp_path: Path) -> None:
    """Since JDK 22 an empty file takes the name of the FIFO that most of the dump flows through."""
    path, other = tmp_path / "fifo", tmp_path / "empty"
    os.mkfifo(path)
    guard = os.open(path, os.O_PATH)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    other.touch()
    other.rename(path)
    assert not bytes_wait([guard])
    os.write(pipe, b"abc")
    assert bytes_wait([guard])
    assert os.read(pipe, 10) == b"abc"
    os.close(pipe)
    os.close(guard)


@contextmanager
def watchdog(folder: Path, program: Sequence[str] = (), **changes: object) -> Iterator[subprocess.Popen[str]]:
    """A watchdog of a job in a folder, started."""
    root, output = os.open(folder, os.O_RDONLY), folder / "x.part"
    fd = os.open(output, os.O_CREAT | os.O_WRONLY, 0o600)
    found = replace(JOB, root=root, output=str(output), output_fd=fd, output_folder_fd=root, is_split=False)
    job = replace(found, **changes)  # type: ignore[arg-type]
    process = subprocess.Popen(
        [*program, job.to_json()]
        if program
        else isolated_python("heapscope.collector.watchdog", job.to_json()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[root, fd],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        os.close(root)
        os.close(fd)


def test_a_jvm_that_answers_late_is_waited_for(tmp_path: Path) -> None:
    """The pause is over, and so is the time in which the kernel ends a watchdog that was stopped."""
    program = "from heapscope.collector import watchdog; watchdog._KERNEL_SECONDS = 0.3; watchdog.main()"
    with watchdog(tmp_path, [sys.executable, "-c", program], seconds=0.1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert "--max-pause" in process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.communicate("!", timeout=60)
        assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def said_at_the_end(process: subprocess.Popen[str]) -> dict[str, object]:
    """What a watchdog says when heapscope is gone."""
    out, _ = process.communicate(timeout=60)
    found: dict[str, object] = json.loads(out.splitlines()[-1]) if out else {}
    return found


@pytest.mark.parametrize("is_streamed", [True, False])
def test_when_heapscope_is_gone_nothing_is_left(is_streamed: bool, tmp_path: Path) -> None:
    with watchdog(tmp_path, is_streamed=is_streamed) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert (tmp_path / JOB.folder).is_dir()
        answer = said_at_the_end(process)
        assert answer == {"problem": GONE}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_streamed", [True, False])
def test_nobody_has_to_hear_that_it_is_ready(
    is_streamed: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with watchdog(tmp_path, is_streamed=is_streamed) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdin = process.stdout = None
    assert capfd.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_written_before_heapscope_was_gone_is_packed(tmp_path: Path) -> None:
    with watchdog(tmp_path, is_streamed=False) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (tmp_path / JOB.folder / JOB.name).write_bytes(b"JAVA PROFILE 1.0.2\0 is all that was written")
        process.stdin.write(".")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"problem": "the dump ends inside a record"}
        said_at_the_end(process)
    assert list(tmp_path.iterdir()) == []


def test_a_dump_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with watchdog(tmp_path, seconds=0.01) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert "0.01 s" in json.loads(process.stdout.readline())["problem"]


def test_a_folder_without_fifos_is_told_apart(tmp_path: Path) -> None:
    with watchdog(tmp_path, name="no/such/folder") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["problem"] == NO_FIFO


def test_who_asks_all_of_heapscope_to_end_ends_heapscope_alone(tmp_path: Path) -> None:
    """As ``systemctl stop`` and ``pkill -f heapscope`` do: a JVM waits for the reader, or will."""
    with watchdog(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [process.pid, *map(int, children)]:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        assert len(children) == 2
        assert said_at_the_end(process) == {"problem": GONE}
    assert list(tmp_path.iterdir()) == []


def test_a_jvm_that_failed_to_write_a_file_is_answered(tmp_path: Path) -> None:
    with watchdog(tmp_path, is_streamed=False) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("!")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"problem": NO_WORD}
        said_at_the_end(process)
    assert list(tmp_path.iterdir()) == []
