"""Dumps on their way: walked by their records however they arrive, whole or refused."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heapscope.collector.stream import Records, compressed, join, pack_file, read_fifos
from heapscope.errors import DumpFailed

HEADER = b"JAVA PROFILE 1.0.2\0" + bytes(4) + bytes(8)
END = struct.pack(">BII", 0x2C, 0, 0)


def record(tag: int, body: bytes) -> bytes:
    return struct.pack(">BII", tag, 0, len(body)) + body


DUMP = HEADER + record(1, b"name") + record(0x1C, b"x" * 5000) + record(0x1C, b"") + END


def nothing(total: int) -> None:
    pass


@given(st.lists(st.integers(1, 60), max_size=40))
def test_pieces_of_any_size_give_the_same_bytes(sizes: list[int]) -> None:
    records, at, out = Records(has_header=True), 0, b""
    for size in [*sizes, len(DUMP)]:
        out += records.feed(DUMP[at : at + size])
        at += size
    assert records.ends_whole
    assert out + records.rest == DUMP


@pytest.mark.parametrize("cut", [0, 10, len(HEADER), len(HEADER) + 5, 300, len(DUMP) - 9, len(DUMP) - 1])
def test_a_file_that_ends_early_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(DUMP[:cut])
    with pytest.raises(DumpFailed, match="ends inside a record"):
        pack_file(path, io.BytesIO(), nothing)


@pytest.mark.parametrize(
    ("data", "words"), [(b"\x7fELF" + DUMP, "no heap dump"), (DUMP + b"tail bytes", "bytes follow the end")]
)
def test_what_is_no_dump_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(data)
    with pytest.raises(DumpFailed, match=words):
        pack_file(path, io.BytesIO(), nothing)


def test_a_file_is_packed_whole_and_tells_how_far_it_is(tmp_path: Path) -> None:
    import zstandard

    path, packed = tmp_path / "dump", tmp_path / "packed"
    path.write_bytes(DUMP)
    seen: list[int] = []
    fd = os.open(packed, os.O_CREAT | os.O_WRONLY)
    with compressed(fd) as output:
        assert pack_file(path, output, seen.append) == len(DUMP)
    os.close(fd)
    assert seen[-1] == len(DUMP) - len(END)
    assert zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read() == DUMP


def test_two_fifos_become_one_dump(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As JDK 22 and later write: the part while the head of the dump is open, the closing record last."""
    main, part = tmp_path / "dump", tmp_path / "dump.p0"
    os.mkfifo(main)
    os.mkfifo(part)
    head, tail = HEADER + record(1, b"name"), record(0x1C, b"y" * 100_000) + record(0x1C, b"z")

    def jvm() -> None:
        with open(main, "wb", buffering=0) as dump:
            dump.write(head)
            with open(part, "wb", buffering=0) as piece:
                piece.write(tail)
            dump.write(part.read_bytes())  # an empty file by now, not the pipe
            dump.write(END)

    writer = threading.Thread(target=jvm)
    writer.start()
    output = io.BytesIO()
    total = read_fifos(main, part, output, nothing)
    writer.join()
    assert output.getvalue() == head + tail + END
    assert total == len(output.getvalue())
    assert capfd.readouterr().out == "ready\n"


@pytest.mark.parametrize("magic", [b"JAVA PROFILE 1.0.2\0", b"JAVA PROFILE 1.0.1\0"])
def test_a_part_before_all_of_a_short_main_stream_gets_a_header(magic: bytes, tmp_path: Path) -> None:
    """A JVM with few names holds its header back until the part is written."""
    main, part = tmp_path / "dump", tmp_path / "dump.p0"
    os.mkfifo(main)
    os.mkfifo(part)
    rest, objects = record(1, b"name"), record(0x1C, b"y" * 100_000)
    header = magic + struct.pack(">IQ", 8, 77)

    def jvm() -> None:
        with open(main, "wb", buffering=0) as dump:
            with open(part, "wb", buffering=0) as piece:
                piece.write(objects)
            while not output.getvalue():  # the part is taken first
                time.sleep(0.001)
            dump.write(header + rest + END)

    output = io.BytesIO()
    writer = threading.Thread(target=jvm)
    writer.start()
    try:
        if b"1.0.1" in magic:
            with pytest.raises(DumpFailed, match="header of the dump"):
                read_fifos(main, part, output, nothing)
            return
        total = read_fifos(main, part, output, nothing)
    finally:
        writer.join()
    written = output.getvalue()
    assert written[:23] == header[:23]
    assert written[31:] == objects + rest + END
    assert total == len(written)


def test_a_kernel_that_copies_nothing_does_not_hang_the_reader(
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
