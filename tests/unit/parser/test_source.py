"""Dumps in zstd frames: whole, in several frames, cut, damaged; and directories of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from heapscope.errors import HprofError, TruncatedDump
from heapscope.parser.source import Source

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
