"""Archives and compressors around a dump: one dump inside is opened, else what is inside is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import heapscope
from heapscope.errors import NotHprof, TruncatedDump
from heapscope.parser.source import Source
from heapscope.parser.texts.class_histogram import read_histogram
from tests.support.dumps import build
from tests.unit.parser.small import nodes

DUMP = build(nodes).data
HISTOGRAM = b" num     #instances         #bytes  class name\n---\n   1:  2  48  a.B\nTotal  2  48\n"


def in_zip(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return made.getvalue()


def in_tar(**files: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


ONE = {"readme__txt": b"a log\n" * 99, "heap__hprof": DUMP, "__folder": b""}
PACKINGS = {
    "zip": in_zip(**ONE),
    "tar": in_tar(**ONE),
    "tar.gz": gzip.compress(in_tar(**ONE)),
    "tar.xz": lzma.compress(in_tar(**ONE)),
    "tar.zst": zstandard.compress(in_tar(**ONE)),
    "xz": lzma.compress(DUMP),
    "bz2": bz2.compress(DUMP),
    "gz.gz": gzip.compress(gzip.compress(DUMP)),
    "gz in zip": in_zip(heap__hprof__gz=gzip.compress(DUMP), notes__txt=b"x"),
    "zst in tar": in_tar(heap=zstandard.compress(DUMP)),
}


@pytest.mark.parametrize("packed", PACKINGS.values(), ids=PACKINGS)
def test_one_dump_inside_is_opened(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "packed"
    path.write_bytes(packed)
    with Source(path) as source:
        assert source.is_compressed
        assert b"".join(map(bytes, source.blocks())) == DUMP
        assert source.mapping().tobytes() == DUMP
    with heapscope.open(path, use_index=False) as heap:
        assert len(heap.objects("a.Node")) == 2
    assert len(heapscope.snapshots(path)) == 1


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (in_zip(a__hprof=DUMP, b__hprof=DUMP), "is a zip that holds several: a.hprof, b.hprof; unpack it"),
        (gzip.compress(in_tar(a=DUMP, b=DUMP)), "is a tar that holds several: a, b; unpack it"),
        (in_zip(a__txt=b"x"), r"is a zip without a heap dump inside \(it holds a.txt\)"),
        (gzip.compress(in_tar(a__log=b"x" * 9)), r"is a tar without a heap dump inside \(it holds a.log\)"),
        (in_zip(**ONE)[:300], "the zip is damaged"),
        (gzip.compress(in_zip(**ONE)), "is a zip inside gzip; unpack it"),
        (gzip.compress(b"\x00\x15portable heap dump" + bytes(99)), "inside gzip, but a heap dump of OpenJ9"),
        (lzma.compress(b"hello"), "no heap dump inside xz, but text"),
    ],
    ids=[
        "two in zip",
        "two in tar.gz",
        "none in zip",
        "none in tar.gz",
        "cut zip",
        "zip in gzip",
        "OpenJ9 in gzip",
        "text in xz",
    ],  # the default is the bytes, which hold the time of day
)
def test_what_is_not_one_dump_is_named(tmp_path: Path, packed: bytes, words: str) -> None:
    path = tmp_path / "packed"
    path.write_bytes(packed)
    with pytest.raises(NotHprof, match=words), heapscope.open(path, use_index=False):
        pass


@pytest.mark.parametrize(
    "pack", [lambda data: gzip.compress(in_tar(heap=data), 0), lzma.compress], ids=["tar.gz", "xz"]
)
def test_a_cut_archive_is_told_and_read_in_part(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "cut"
    whole = pack(build(lambda d: [d.primitive_array("byte", bytes(100)) for _ in range(2000)]).data)
    path.write_bytes(whole[: len(whole) - 40] if pack is lzma.compress else whole[: len(whole) // 2])
    with pytest.raises(TruncatedDump, match="ends too early; copy the file again"):
        heapscope.open(path, use_index=False)
    if pack is not lzma.compress:
        with heapscope.open(path, use_index=False, partial=True) as heap:
            assert heap.coverage is not None
            assert 0 < heap.coverage.share < 1


def test_class_histograms_are_found_in_archives(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    for packed in (in_zip(log__txt=b"x", histo__txt=HISTOGRAM), lzma.compress(HISTOGRAM)):
        path.write_bytes(packed)
        assert read_histogram(path).class_names == ["a.B"]
        assert [one.kind for one in heapscope.snapshots(path)] == ["class histogram"]
    path.write_bytes(in_zip(heap__hprof=DUMP, histo__txt=HISTOGRAM))
    assert [one.kind for one in heapscope.snapshots(path)] == ["heap dump"]  # it says more
