"""What can still be inflated of a compressed dump that is cut short or damaged.

Holes are reported between the bytes, so that a record that reaches into one does not count as whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A piece in which the decoder meets an error is lost as a whole, so pieces are small.
_PIECE_BYTES = 1 << 9
_READ_BYTES = 1 << 20
_OUTPUT_BYTES = 1 << 21
_GZIP_START = b"\x1f\x8b\x08"
_ZEROS = bytes(1 << 16)


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes of the dump that are lost: how many, or None where that is unknown."""

    length: int | None
    problem: str
    is_end: bool = False  # nothing follows


def part_paths(path: Path) -> list[Path]:
    """Parts that a parallel dump left beside its file when it was killed: ``NAME.p0``, ``NAME.p1``, ..."""
    found = []
    for entry in path.parent.glob(f"{_quoted(path.name)}.p*"):
        number = entry.name[len(path.name) + 2 :]
        if number.isascii() and number.isdigit() and entry.is_file():
            found.append((int(number), entry))
    return [entry for _, entry in sorted(found)]


def _quoted(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def gzip_pieces(fd: int, size: int, blocksize: int) -> Iterator[bytes | Hole]:
    """Inflate gzip members; behind a damaged one go on with the next.

    Parameters
    ----------
    fd : int
        Descriptor of the open file.
    size : int
        Bytes of the file.
    blocksize : int
        What every member but the last inflates to; 0: not known, and then no member follows a damaged one.
        A member of known size is given out when its checksum is right: where it was damaged nobody can
        tell, and what inflates behind that place is noise.
    """
    at = 0  # of the member
    while 0 <= at < size:
        member = _Member(fd, size, at)
        if blocksize:
            held = list(member.blocks(blocksize))
            if not member.problem:
                yield from held
        else:
            yield from member.blocks(0)
        if member.is_whole:
            at = _next_member(fd, size, member.end, blocksize)
        elif not member.problem:
            yield Hole(None, f"the gzip stream ends inside a member at byte {size:,} of the file", True)
            return
        else:
            at = _find(fd, size, at + len(_GZIP_START)) if blocksize else -1
            yield Hole(blocksize if at >= 0 else None, member.problem, at < 0)
            if at < 0:
                return


class _Member:
    """One gzip member: its bytes, then how it ended."""

    def __init__(self, fd: int, size: int, at: int) -> None:
        self._fd, self._size, self._at = fd, size, at
        self.is_whole = False
        self.problem = ""
        self.end = at  # in the file

    def blocks(self, most: int) -> Iterator[bytes]:
        """What it inflates to; more than ``most`` bytes, if that is not 0, are a problem."""
        from isal import isal_zlib

        inflater = isal_zlib.decompressobj(wbits=31)
        offset, made = self._at, 0
        while not inflater.eof and offset < self._size:
            piece = os.pread(self._fd, min(_PIECE_BYTES, self._size - offset), offset)
            if not piece:
                return
            offset += len(piece)
            while piece and not inflater.eof:
                try:
                    block = inflater.decompress(piece, _OUTPUT_BYTES)
                except isal_zlib.error as error:  # type: ignore[misc]  # isal's hints call it an instance
                    near = offset - len(piece)
                    self.problem = f"the gzip data is damaged near byte {near:,} of the file ({error})"
                    return
                piece = inflater.unconsumed_tail
                made += len(block)
                if most and made > most:
                    self.problem = (
                        f"the gzip member at byte {self._at:,} of the file holds more than it should"
                    )
                    return
                if block:
                    yield block
        self.is_whole = inflater.eof
        self.end = offset - len(inflater.unused_data)


def _next_member(fd: int, size: int, at: int, blocksize: int) -> int:
    """Where the next member begins; -1 at the end, zeros behind the last one left aside."""
    while at < size:
        head = os.pread(fd, _READ_BYTES, at)
        rest = head.lstrip(b"\0")
        if rest:
            at += len(head) - len(rest)
            if rest.startswith(_GZIP_START[: len(rest)]):
                return at
            return _find(fd, size, at) if blocksize else -1
        at += max(1, len(head))
    return -1


def _find(fd: int, size: int, at: int) -> int:
    """The next place from ``at`` on where a member can begin, -1 where there is none."""
    while at < size:
        chunk = os.pread(fd, _READ_BYTES + len(_GZIP_START), at)
        place = chunk.find(_GZIP_START)
        if place >= 0:
            return at + place
        at += _READ_BYTES
    return -1


def zstd_pieces(fd: int, size: int, window_bytes: int) -> Iterator[bytes | Hole]:
    """Inflate zstd frames up to the first damage.

    Parameters
    ----------
    fd : int
        Descriptor of the open file.
    size : int
        Bytes of the file.
    window_bytes : int
        What a frame may make us hold.
    """
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=window_bytes)
    frame, offset, is_inside = reader.decompressobj(), 0, False
    while offset < size:
        pending = os.pread(fd, 1 << 14, offset)
        if not pending:
            break
        offset += len(pending)
        while pending:
            try:
                block = frame.decompress(pending)
            except zstandard.ZstdError as error:
                where = max(0, offset - len(pending))
                yield Hole(None, f"the zstd data is damaged near byte {where:,} of the file ({error})", True)
                return
            pending, is_inside = b"", True
            if frame.eof:
                pending, is_inside, frame = frame.unused_data, False, reader.decompressobj()
            if block:
                yield block
    if is_inside:
        yield Hole(None, f"the zstd stream ends inside a frame at byte {size:,} of the file", True)


def plain_pieces(fd: int, size: int) -> Iterator[bytes | Hole]:
    """The bytes of a file that is not compressed."""
    for offset in range(0, size, _READ_BYTES):
        yield os.pread(fd, _READ_BYTES, offset)


def zeros(length: int) -> Iterator[bytes]:
    """So many zeros, in pieces: a hole keeps its place, and what follows its offset."""
    while length > 0:
        yield _ZEROS[:length]
        length -= len(_ZEROS)
