"""Which places of a large text hold one of many short texts, at hundreds of megabytes a second.

A text of seven bytes or more holds a whole aligned word of four bytes, wherever it lies; one of eleven or
more holds two. So each needle is known by the four words that can be aligned in it, and of a block of text
only every fourth byte is looked at: a word is hashed, and a table says whether any needle has it. What
passes is compared with the needles themselves. How many needles there are makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

SHORTEST = 7
_LONG = 11
_WORD = 4
_BITS = 18  # of the table: 256 kB, which stay in the processor's second cache
_FACTOR = np.uint32(2_654_435_761)  # Knuth, The Art of Computer Programming 3, section 6.4
_SHIFT = np.uint32(32 - _BITS)
_PIECE = 1 << 16  # words at once: they and what is made of them stay in the cache
# The most frequent characters of English text and of logs, and words that fill logs: a needle is known by its
# part that an ordinary line is least likely to have.
_FREQUENT = b" etaoinsrhldcumfpgwybv.0123456789"
_ORDINARY = (
    b" INFO WARN ERROR DEBUG service Service request Request response handled handler failed failure "
    b" process processing Processing container Container executor Executor memory Memory available "
    b" error Error exception Exception started stopped completed killed Killed with from for of the and "
    b" in to is not at by has was on com.org.java.lang.apache.spark hadoop http GET POST status code "
    b" exit exited application Application context session user Login successful data time task Task "
    b" stage Stage job Job thread Thread pool worker client server message connection collection heap "
    b" dump Heap limit usage requested used reason total file path system native allocation physical "
    b" virtual running over configured exceeded beyond created "
)


class Needles:
    """Short texts that are looked for together.

    Parameters
    ----------
    texts : iterable of bytes
        Each of `SHORTEST` bytes at least.

    Raises
    ------
    ValueError
        One is shorter.
    """

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._begins: dict[int, list[tuple[bytes, int]]] = defaultdict(list)  # word: needles, and its place
        singles: set[int] = set()
        pairs: set[int] = set()
        for text in sorted(set(texts)):
            if len(text) < SHORTEST:
                raise ValueError(f"{text!r} is shorter than {SHORTEST} bytes")
            is_long = len(text) >= _LONG
            start = _rarest(text, _LONG if is_long else SHORTEST)
            for at in range(start, start + _WORD):
                word = int.from_bytes(text[at : at + _WORD], "little")
                self._begins[word].append((text, at))
                if is_long:
                    pairs.add(int.from_bytes(text[at : at + 2 * _WORD], "little"))
                else:
                    singles.add(word)
        self._singles = np.array(sorted(singles), np.uint32)
        self._pairs = np.array(sorted(pairs), np.uint64)
        self._table = np.zeros(1 << _BITS, np.bool_)
        words = np.array(sorted(self._begins), np.uint32)
        self._table[(words * _FACTOR) >> _SHIFT] = True

    def places(self, block: bytes) -> list[int]:
        """Offsets in a block at which needles begin, ascending; every needle of the block is among them."""
        words = np.frombuffer(block, np.dtype("<u4"), len(block) // _WORD)
        found: set[int] = set()
        # Memory that is used again, and indices of the width that take() needs: three times as fast.
        hashed, index = np.empty(_PIECE, np.uint32), np.empty(_PIECE, np.intp)
        is_near = np.empty(_PIECE, np.bool_)
        for start in range(0, len(words), _PIECE):
            piece = words[start : start + _PIECE]
            size = len(piece)
            np.multiply(piece, _FACTOR, out=hashed[:size])
            np.right_shift(hashed[:size], _SHIFT, out=index[:size], casting="unsafe")
            np.take(self._table, index[:size], out=is_near[:size], mode="clip")
            near = np.flatnonzero(is_near[:size]) + start
            if len(near):
                near = near[_is_among(words[near], self._singles) | self._has_pair(words, near)]
                for place in near.tolist():
                    at = place * _WORD
                    for text, offset in self._begins[int(words[place])]:
                        if at >= offset and block.startswith(text, at - offset):
                            found.add(at - offset)
        return sorted(found)

    def _has_pair(self, words: npt.NDArray[np.uint32], near: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        following = np.minimum(near + 1, len(words) - 1)
        pairs = words[near].astype(np.uint64) | (words[following].astype(np.uint64) << np.uint64(32))
        return _is_among(pairs, self._pairs)


def _is_among(values: npt.NDArray[np.generic], known: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Which values are in a short sorted array."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[places] == values)


def _rarest(text: bytes, size: int) -> int:
    """Where the part begins that an ordinary text is least likely to have."""

    def commonness(at: int) -> tuple[int, int]:
        part = text[at : at + size]
        words = sum(part[i : i + _WORD] in _ORDINARY for i in range(_WORD))
        return words, sum(len(_FREQUENT) - _FREQUENT.index(byte) for byte in part if byte in _FREQUENT)

    return min(range(len(text) - size + 1), key=commonness)
