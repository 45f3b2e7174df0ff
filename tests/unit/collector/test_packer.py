"""The process that writes a dump: in memory, spooled or compressed at once, the file says the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zstandard

from heapscope.collector.buffer import SLOT_BYTES, SlotBuffer
from heapscope.collector.disk import Disk
from heapscope.collector.packer import Packer, join, pack_file
from heapscope.collector.reader import Status
from heapscope.collector.stream import END, Filter
from heapscope.errors import DumpFailed
from tests.unit.collector.test_stream import DUMP, HEADER, record

NAMES = HEADER + record(1, b"name")
LATE = record(2, b"late")
OBJECTS = record(0x1C, os.urandom(5 * SLOT_BYTES))


class Upper:
    """A filter that says when it was finished."""

    def __init__(self, options: dict[str, object]) -> None:
        pass

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b"finished"


def packed(
    folder: Path, streams: list[tuple[int, bytes]], *, room: bool = True, through: Filter | None = None
) -> tuple[Packer, bytes]:
    """What is written of pieces of streams, each of which comes as if a reader had handed it over."""
    buffer, path = SlotBuffer(0), folder / "packed"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    disk = Disk(folder, fd, 0)
    expected = 1 if room else disk.left_bytes() + (1 << 40)
    slots = iter(range(buffer.count))
    for stream, data in streams:
        for at in range(0, len(data), SLOT_BYTES):
            piece = data[at : at + SLOT_BYTES]
            slot = next(slots)
            buffer.slot(slot)[: len(piece)] = piece
            buffer.hand_over(slot, stream, len(piece))
    os.close(buffer.filled_in)
    packer = Packer(buffer, max(s for s, _ in streams) + 1, through, fd, disk, expected, Status())
    try:
        assert packer.pack() == sum(len(data) for _, data in streams)
    finally:
        os.close(fd)
        left = [each.name for each in folder.iterdir()]
    assert left == ["packed"]
    reader = zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True)
    return packer, reader.read()


@pytest.mark.parametrize(
    ("objects", "room", "way"),
    [(record(0x1C, b"few"), True, "memory"), (OBJECTS, True, "spooled"), (OBJECTS, False, "compressed")],
    ids=["memory", "spooled", "compressed"],
)
def test_all_ways_write_the_same(objects: bytes, room: bool, way: str, tmp_path: Path) -> None:
    packer, written = packed(tmp_path, [(0, NAMES), (1, objects), (0, LATE + END)], room=room)
    assert (packer.way, written) == (way, NAMES + LATE + objects + END)


@pytest.mark.parametrize("room", [True, False])
def test_through_a_filter_streams_keep_their_order(room: bool, tmp_path: Path) -> None:
    through = Filter("tests.unit.collector.test_packer:Upper")
    streams = [(0, NAMES + LATE[:5]), (1, OBJECTS), (0, LATE[5:] + END)]
    packer, written = packed(tmp_path, streams, room=room, through=through)
    assert packer.way == ("spooled" if room else "compressed")
    assert written == NAMES + OBJECTS + LATE + END + b"finished"


def test_a_part_that_ends_early_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpFailed, match="a part of the dump ends inside a record"):
        packed(tmp_path, [(0, NAMES), (1, record(0x1C, b"few")[:-1]), (0, END)])


def test_a_file_is_packed_whole_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path, seen = tmp_path / "dump", [0]
    path.write_bytes(DUMP)
    with (tmp_path / "packed").open("wb") as output:
        disk = Disk(tmp_path, output.fileno(), 0)
        assert pack_file(path, output.fileno(), disk, seen.append) == len(DUMP)
    assert sum(seen) == len(DUMP)
    data = (tmp_path / "packed").read_bytes()
    assert zstandard.ZstdDecompressor().stream_reader(data).read() == DUMP


def test_a_disk_keeps_what_others_need(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "packed", os.O_CREAT | os.O_WRONLY)
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    disk = Disk(tmp_path, fd, 2 * free)
    with pytest.raises(DumpFailed, match=r"would be left free.*--min-free"):
        disk.write(fd, b"one byte too many")
    assert os.fstat(fd).st_size == 0
    facts = os.statvfs(tmp_path)
    assert Disk(tmp_path, fd).min_free_bytes == min(1 << 30, facts.f_blocks * facts.f_frsize // 10)
    os.close(fd)


def test_a_kernel_that_copies_nothing_does_not_hang_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    with (tmp_path / "part").open("w+b") as part, (tmp_path / "whole").open("w+b") as whole:
        part.write(b"p" * 3_000_000)
        part.flush()
        whole.write(b"head")
        whole.flush()
        join(part.fileno(), whole.fileno())
    assert (tmp_path / "whole").read_bytes() == b"head" + b"p" * 3_000_000
