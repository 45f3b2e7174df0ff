"""Files that are no dump: each is named for what it is, with the step that leads to one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import heapscope
from heapscope.errors import HprofError
from tests.support.dumps import DumpBuilder

ELF = b"\x7fELF\x02\x01\x01" + bytes(9)


def dump() -> bytes:
    d = DumpBuilder()
    d.cls("a.Data", fields={"n": "int"})
    for number in range(300):
        d.instance("a.Data", n=number * 0x00010A0B)
    d.primitive_array("byte", bytes(range(256)) * 8)
    d.root("STICKY_CLASS", d.class_id("a.Data"))
    return d.dump().data


DUMP = dump()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x15portable heap dump\x00\x00", ["OpenJ9", "PHD", "Dump.system", "Export HPROF"]),
        (ELF + b"\x04\x00\x3e\x00" + bytes(99), ["core", "jhsdb jmap --binaryheap", "--core {path}"]),
        (ELF.replace(b"\x01\x01", b"\x02\x01", 1) + b"\x00\x04" + bytes(99), ["core", "--core {path}"]),
        (ELF + b"\x03\x00\x3e\x00" + bytes(99), ["native image of GraalVM", "kill -USR1"]),
        (b"<html><title>403 Forbidden</title></html>", ["web page", "403 Forbidden", "download it again"]),
        (b'{"message": "Not Found"}', ["JSON", "Not Found", "download it again"]),
        (
            b'{\n  "schema_version": 1,\n  "kind": "verdict",',
            ["an answer of heapscope (verdict)", "name the snap"],
        ),
        (
            b'{\n  "captured_at": "2026-01-01",\n  "kind": "histogram",\n  "method": "attach"',
            ["the sidecar of a snapshot", "name the snapshot: {path}"],
        ),
        (b"captured_at,host,pid,role\n", ["samples of 'heapscope watch'", "heapscope plot {path}"]),
        (b"7z\xbc\xaf\x27\x1c\0\0", ["7z x {path}"]),
        (b"FLR\0\0\x02", ["Flight Recorder", "GC.heap_dump FILE"]),
        (base64.encodebytes(DUMP), ["base64 -d {path}"]),
        (b"2026-01-01 ERROR java.lang.OutOfMemoryError: x\n", ["a log", "heapscope explain-log {path}"]),
        (bytes(5000), ["5,000 bytes", "zeros", "full disk"]),
        (b"Defaulted container app\r\n" + DUMP, ["byte 25", "Defaulted", "tail -c +26 {path}"]),
        (
            DUMP + b"\ncommand terminated with exit code 137\n",
            ["text behind it", "exit code 137", "head -c "],
        ),
        (DUMP.replace(b"\n", b"\r\n"), ["carriage return", "copy it again in binary"]),
        (DUMP.decode("utf-8", "replace").encode(), ["replaced (by U+FFFD)", "copy it again in binary"]),
        (b"\xff\xfe" + DUMP.decode("latin-1").encode("utf-16-le"), ["UTF-16", "PowerShell"]),
        (b"JAVA PROFILE 1.0.1, created Wed Nov 25\n\nHeader", ["as text", "format=b"]),
        (
            b"Index Super InstBytes KlassBytes ClassName\n 1 -1 8 8 a.B\n",
            ["class_stats", "InstCount,InstBytes"],
        ),
    ],
)
def test_a_file_is_named_with_the_next_step(tmp_path: Path, data: bytes, words: list[str]) -> None:
    path = tmp_path / "given file"
    path.write_bytes(data)
    with pytest.raises(HprofError) as told, heapscope.open(path, use_index=False):
        pass
    assert "\n" not in str(told.value)
    for word in words:
        assert word.replace("{path}", f"'{path}'") in str(told.value)


def test_the_step_works(tmp_path: Path) -> None:
    """What is cut off as told leaves the dump."""
    for data, keep in (
        (b"Defaulted container app\n" + DUMP, slice(24, None)),
        (DUMP + b"command terminated\n", slice(None, len(DUMP))),
    ):
        path = tmp_path / "noise"
        path.write_bytes(data)
        with pytest.raises(HprofError) as told, heapscope.open(path, use_index=False):
            pass
        number = keep.start + 1 if keep.start else keep.stop
        assert f" -c {'+' if keep.start else ''}{number} " in str(told.value)
        path.write_bytes(data[keep])
        with heapscope.open(path, use_index=False) as heap:
            assert len(heap.objects("a.Data")) == 300
