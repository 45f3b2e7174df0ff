"""A snapshot from a JVM that a function plays: whole with its sidecar, or nothing at all."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from heapscope.collector import dump
from heapscope.collector.channel import JvmChannel
from heapscope.collector.dump import SnapshotOptions, take
from heapscope.collector.stream import Filter
from heapscope.errors import AttachTimeout, CollectError, DumpFailed, OutputFailed
from tests.unit.collector.living import jvm_process

PROCESS = jvm_process()
HISTOGRAM = " 1:  10  240  java.lang.String\nTotal  10  240\n"
END = struct.pack(">BII", 0x2C, 0, 0)
HEAD = b"JAVA PROFILE 1.0.2\0" + struct.pack(">IQ", 8, 77) + struct.pack(">BII", 1, 0, 12) + b"x" * 12
# More than a pipe holds: the JVM cannot go on before the reader has come.
OBJECTS = struct.pack(">BII", 0x1C, 0, 100_000) + b"y" * 100_000
CREATED = "Heap dump file created [5069 bytes in 0.250 secs]\n"
Ask = Callable[[str, float], str]


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process hosts no JVM: it is taken for one that does."""
    monkeypatch.setattr(dump, "get", lambda pid: PROCESS)
    monkeypatch.setattr(dump, "find", lambda pids: [PROCESS])


def jvm(release: int, said: str = CREATED, asked: list[str] | None = None) -> Ask:
    """A JVM of a release that dumps its heap, as far as it says that it did."""

    def ask(command: str, seconds: float) -> str:
        if asked is not None:
            asked.append(command)
        if command.startswith("GC.class_histogram"):
            return HISTOGRAM
        if not command.startswith("GC.heap_dump"):
            return ""
        path = Path(command.split(" ")[-1])
        if said == CREATED and release >= 22:
            with path.open("wb", buffering=0) as main:
                main.write(HEAD)
                part = path.with_name(f"{path.name}.p0")
                with part.open("wb", buffering=0) as file:
                    file.write(OBJECTS)
                main.write(part.read_bytes())  # an empty file has taken the place of the FIFO
                main.write(END)
        elif said == CREATED:
            path.write_bytes(HEAD + OBJECTS + END)
        return said

    return ask


def taken(folder: Path, channel: JvmChannel, options: SnapshotOptions | None = None) -> dump.Collected:
    return take(PROCESS, folder, lambda: channel, options or SnapshotOptions())


@pytest.mark.parametrize("release", [17, 25])
def test_a_dump_flows_through_fifos(release: int, tmp_path: Path) -> None:
    asked: list[str] = []
    found = taken(tmp_path / "out", JvmChannel("attach", jvm(release, asked=asked), release))
    stream = zstandard.ZstdDecompressor().stream_reader(found.path.read_bytes(), read_across_frames=True)
    assert stream.read() == HEAD + OBJECTS + END
    assert (found.facts["mode"], found.facts["dump_bytes"]) == ("stream", len(HEAD + OBJECTS + END))
    assert found.facts["pause_seconds_estimate"] == 0.25
    (command,) = [command for command in asked if command.startswith("GC.heap_dump")]
    assert command.split(" ")[1:-1] == ["-overwrite", *(["-parallel=1"] if release >= 22 else [])]
    assert not Path(command.split(" ")[-1]).parent.exists()
    assert found.path.stat().st_mode & 0o777 == 0o600
    assert found.path.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(found.path.parent.iterdir()) == [found.path, found.sidecar]
    assert json.loads(found.sidecar.read_text()) == json.loads(json.dumps(found.facts))


def test_where_no_fifo_can_be_used_a_file_is_packed(tmp_path: Path) -> None:
    notices: list[str] = []
    channel = JvmChannel("jmap", jvm(17), 17, why_no_stream="no stream here")
    found = taken(tmp_path, channel, SnapshotOptions(live=False, notice=notices.append))
    assert zstandard.ZstdDecompressor().stream_reader(found.path.read_bytes()).read() == HEAD + OBJECTS + END
    assert (found.facts["mode"], found.facts["live"]) == ("file", False)
    (notice,) = notices
    assert "no stream here" in notice


def test_a_dump_that_has_to_be_filtered_is_never_a_file(tmp_path: Path) -> None:
    asked: list[str] = []
    channel = JvmChannel("jmap", jvm(17, asked=asked), 17, why_no_stream="no stream here")
    with pytest.raises(CollectError, match="no stream here"):
        taken(tmp_path, channel, SnapshotOptions(through=Filter("a:b")))
    assert not any(command.startswith("GC.heap_dump") for command in asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stream", [True, False])
def test_a_jvm_that_fails_is_quoted_and_leaves_nothing(stream: bool, tmp_path: Path) -> None:
    channel = JvmChannel("attach", jvm(17, said="Dump file is incomplete: No space left\n"), 17)
    with pytest.raises(DumpFailed, match="Dump file is incomplete: No space left"):
        taken(tmp_path, channel, SnapshotOptions(stream=stream))
    assert list(tmp_path.iterdir()) == []


def test_a_class_histogram_is_written_as_the_jvm_says_it(tmp_path: Path) -> None:
    asked: list[str] = []
    channel = JvmChannel("attach", jvm(17, asked=asked), 17)
    found = taken(tmp_path, channel, SnapshotOptions(kind="histogram", live=False))
    assert found.path.read_text() == HISTOGRAM
    assert found.path.name.endswith(".histogram.txt")
    assert "GC.class_histogram -all" in asked
    assert found.facts["file_bytes"] == len(HISTOGRAM)


def test_a_class_histogram_is_waited_for_as_long_as_a_pause_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    notices: list[str] = []

    def ask(command: str, seconds: float) -> str:
        if command.startswith("GC.class_histogram"):
            waited.append(seconds)
            raise AttachTimeout("process 7: no answer within 2 s; try again later")
        return ""

    monkeypatch.setattr(dump, "expected_pause_seconds", lambda process, release: 10.0)
    options = SnapshotOptions(kind="histogram", max_pause_seconds=2.0, notice=notices.append)
    with pytest.raises(AttachTimeout, match=r"later, or pass --max-pause .*no snapshot was kept"):
        taken(tmp_path, JvmChannel("attach", ask, 17), options)
    assert waited == [2.0]
    assert "its class histogram may take 4.5 s, and is waited for 2 s (--max-pause)" in notices[0]
    assert list(tmp_path.iterdir()) == []


def test_a_class_histogram_that_was_cut_is_refused(tmp_path: Path) -> None:
    channel = JvmChannel("attach", lambda command, seconds: HISTOGRAM.partition("Total")[0], 17)
    with pytest.raises(DumpFailed, match="no Total line"):
        taken(tmp_path, channel, SnapshotOptions(kind="histogram"))
    assert list(tmp_path.iterdir()) == []


def test_a_sidecar_that_cannot_be_written_takes_its_snapshot_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OutputFailed(path, "No space left on device")

    monkeypatch.setattr(dump, "new_file", full)
    with pytest.raises(DumpFailed, match=r"json.*No space left"):
        taken(tmp_path, JvmChannel("attach", jvm(17), 17), SnapshotOptions(kind="histogram"))
    assert list(tmp_path.iterdir()) == []


def test_one_snapshot_at_a_time(tmp_path: Path) -> None:
    with dump._lock(PROCESS), pytest.raises(CollectError, match="another heapscope"):
        taken(tmp_path, JvmChannel("attach", jvm(17), 17))
