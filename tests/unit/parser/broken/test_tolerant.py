"""What can be inflated of broken files, and word of every hole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from heapscope.parser.broken.tolerant import Hole, gzip_pieces, part_paths, plain_pieces, zeros, zstd_pieces
from tests.support.gz import gzip_member, jdk_gzip, plain_gzip

DATA = bytes(range(256)) * 200
BLOCK = 4096

Read = Callable[[int, int], Iterator[bytes | Hole]]


def pieces(tmp_path: Path, packed: bytes, read: Read) -> list[bytes | Hole]:
    """Pieces in order; bytes that follow each other joined."""
    path = tmp_path / "x"
    path.write_bytes(packed)
    fd = os.open(path, os.O_RDONLY)
    try:
        found: list[bytes | Hole] = []
        for piece in read(fd, len(packed)):
            if isinstance(piece, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += piece
            else:
                found.append(piece)
        return found
    finally:
        os.close(fd)


def gzip_of(blocksize: int) -> Read:
    return lambda fd, size: gzip_pieces(fd, size, blocksize)


@pytest.mark.parametrize(
    ("packed", "read"),
    [
        (DATA, plain_pieces),
        (plain_gzip(DATA), gzip_of(0)),
        (plain_gzip(DATA[:9]) + plain_gzip(DATA[9:]) + bytes(700), gzip_of(0)),
        (jdk_gzip(DATA, BLOCK), gzip_of(BLOCK)),
        (
            zstandard.compress(DATA[:9]) + zstandard.compress(DATA[9:]),
            lambda f, n: zstd_pieces(f, n, 1 << 27),
        ),
    ],
    ids=["plain", "gzip", "members", "jdk", "zstd"],
)
def test_whole_files_have_no_hole(tmp_path: Path, packed: bytes, read: Read) -> None:
    assert pieces(tmp_path, packed, read) == [DATA]


def test_a_cut_member_gives_what_is_in_front_of_the_cut(tmp_path: Path) -> None:
    packed = plain_gzip(os.urandom(20_000))
    data, hole = pieces(tmp_path, packed[:10_000], gzip_of(0))
    assert isinstance(data, bytes)
    assert len(data) > 9_000
    assert hole == Hole(None, hole.problem, is_end=True)  # type: ignore[union-attr]


def test_behind_a_damaged_member_of_known_size_the_next_follows(tmp_path: Path) -> None:
    members = [gzip_member(DATA[at : at + BLOCK]) for at in range(0, len(DATA), BLOCK)]
    members[2] = members[2][:15] + b"\xff" * 8 + members[2][23:]
    first, hole, rest = pieces(tmp_path, b"".join(members), gzip_of(BLOCK))
    assert first == DATA[: 2 * BLOCK]
    assert isinstance(hole, Hole)
    assert (hole.length, hole.is_end) == (BLOCK, False)
    assert rest == DATA[3 * BLOCK :]
    # Where sizes are not known, nobody can tell how long the hole is: that is the end.
    found = pieces(tmp_path, b"".join(members), gzip_of(0))
    assert isinstance(found[-1], Hole)
    assert found[-1].is_end


def test_a_member_that_holds_more_than_it_should(tmp_path: Path) -> None:
    packed = gzip_member(DATA[: BLOCK + 1]) + gzip_member(DATA[:BLOCK])
    hole, rest = pieces(tmp_path, packed, gzip_of(BLOCK))
    assert isinstance(hole, Hole)
    assert rest == DATA[:BLOCK]


@pytest.mark.parametrize("damage", [False, True])
def test_zstd_ends_at_the_first_damage(tmp_path: Path, damage: bool) -> None:
    packed = zstandard.compress(DATA) + (b"no frame" if damage else zstandard.compress(DATA)[:-3])
    found = pieces(tmp_path, packed, lambda fd, size: zstd_pieces(fd, size, 1 << 27))
    assert isinstance(found[0], bytes)
    assert found[0].startswith(DATA)
    assert isinstance(found[-1], Hole)
    assert found[-1].is_end


def test_zeros_are_as_many_as_asked_for() -> None:
    for length in (0, 1, 1 << 16, 200_001):
        assert b"".join(zeros(length)) == bytes(length)


def test_parts_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("a[1].hprof.p10", "a[1].hprof.p2", "a[1].hprof.px", "a1.hprof.p0", "a[1].hprof.p2.bak"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a[1].hprof.p3").mkdir()
    assert [path.name for path in part_paths(tmp_path / "a[1].hprof")] == ["a[1].hprof.p2", "a[1].hprof.p10"]
