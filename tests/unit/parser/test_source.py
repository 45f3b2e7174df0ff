"""The bytes of a dump: plain, in gzip members, in zstd frames; whole, cut, damaged."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

from heapscope.errors import HprofError, NotHprof, TruncatedDump
from heapscope.parser import inflating
from heapscope.parser.source import Source, crc32
from tests.support.gz import gzip_member, jdk_gzip, plain_gzip

DUMP = b"JAVA PROFILE 1.0.2\0" + bytes(range(256)) * 4000


def inflated(path: Path) -> bytes:
    with Source(path) as source:
        return b"".join(bytes(block) for block in source.blocks())


@pytest.mark.parametrize("frames", [1, 3])
def test_frames_are_read_in_order(tmp_path: Path, frames: int) -> None:
    size = -(-len(DUMP) // frames)
    parts = [DUMP[at : at + size] for at in range(0, len(DUMP), size)]
    path = tmp_path / "a.hprof.zst"
    path.write_bytes(b"".join(zstandard.compress(part) for part in parts))
    assert inflated(path) == DUMP
    with Source(path) as source:
        assert source.mapping().tobytes() == DUMP


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_cut_file_is_told(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.hprof.zst"
    data = zstandard.compress(DUMP)
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TruncatedDump, match="ends inside a frame at byte"):
        inflated(path)


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.hprof.zst"
    path.write_bytes(zstandard.compress(DUMP) + b"no frame at all")
    with pytest.raises(HprofError, match="zstd data is damaged near byte"):
        inflated(path)


@pytest.mark.parametrize(
    "packed",
    [
        DUMP,
        plain_gzip(DUMP),
        jdk_gzip(DUMP, 4096),
        jdk_gzip(DUMP, len(DUMP)),
        plain_gzip(DUMP[:500]) + plain_gzip(DUMP[500:]),
        plain_gzip(DUMP) + bytes(5000),  # padding of tapes and block devices
        # The comment lies: members of other sizes follow.
        gzip_member(DUMP[:100], b"HPROF BLOCKSIZE=100") + gzip_member(DUMP[100:]),
    ],
    ids=["plain", "gzip", "jdk", "jdk-one", "two-members", "padded", "wrong-blocksize"],
)
def test_every_packing_gives_the_same_bytes(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(packed)
    assert inflated(path) == DUMP
    with Source(path) as source:
        assert source.is_mapped == (packed is DUMP)
        assert source.mapping().tobytes() == DUMP
        assert source.is_mapped
        buffer = bytearray(100)
        assert source.read_into(memoryview(buffer), 1000) == 100
        assert bytes(buffer) == DUMP[1000:1100]
        assert [(piece.start, piece.stop, piece.problem) for piece in source.pieces] == [(0, len(DUMP), "")]
    assert source.is_closed


def test_a_member_that_looks_like_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that open a member may stand inside one: then the guess is found out, and nothing is lost."""
    trap = DUMP[:40] + inflating._MEMBER_STARTS[0] + DUMP[48:]
    path = tmp_path / "a.hprof.gz"
    stored = zlib.compressobj(level=0, wbits=31)
    path.write_bytes(jdk_gzip(DUMP[:4096], 4096) + stored.compress(trap) + stored.flush())
    assert inflated(path) == DUMP[:4096] + trap


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("blocksize", [0, 4096])
def test_a_cut_gzip_file_is_told(tmp_path: Path, share: float, blocksize: int) -> None:
    data = jdk_gzip(DUMP, blocksize) if blocksize else plain_gzip(DUMP)
    path = tmp_path / "cut.hprof.gz"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TruncatedDump, match="ends inside a member"):
        inflated(path)


@pytest.mark.parametrize("make", ["folder", "empty", "other"])
def test_what_is_no_dump_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x"
    if make == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"" if make == "empty" else b"GIF89a")
    with pytest.raises(NotHprof):
        Source(path)
    with pytest.raises(HprofError, match="cannot be opened"):
        Source(tmp_path / "missing")


def test_checksums_are_those_of_gzip() -> None:
    data = np.frombuffer(DUMP, np.uint8)
    assert crc32(data) == zlib.crc32(DUMP)


def test_parts_of_a_killed_parallel_dump_follow_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.hprof"
    path.write_bytes(DUMP)
    (tmp_path / "a.hprof.p1").write_bytes(b"second")
    (tmp_path / "a.hprof.p0").write_bytes(plain_gzip(b"first"))
    with Source(path, partial=True) as source:
        assert source.mapping().tobytes() == DUMP + b"first" + b"second"
        assert [(p.start, p.stop) for p in source.pieces] == [
            (0, len(DUMP)),
            (len(DUMP), len(DUMP) + 5),
            (len(DUMP) + 5, len(DUMP) + 11),
        ]


def test_a_hole_keeps_its_place(tmp_path: Path) -> None:
    packed = bytearray(jdk_gzip(DUMP, 4096))
    # Damage inside the third member.
    third = packed.index(b"\x1f\x8b\x08\0", packed.index(b"\x1f\x8b\x08\0") + 1)
    packed[third + 20 : third + 28] = b"\xff" * 8
    path = tmp_path / "a.hprof.gz"
    path.write_bytes(packed)
    with Source(path, partial=True) as source:
        data = source.mapping().tobytes()
        first, second = source.pieces
    assert first.problem
    assert not second.starts_record
    assert second.start - first.stop == 4096
    assert data == DUMP[: first.stop] + bytes(4096) + DUMP[second.start :]
