"""How wide references are in a VM that does not say it: by the room that arrays of references take.

Such VMs are JDK 5, 6 and others without ``Unsafe`` statics.  An array of n references takes 16 + 4 n bytes in
a 64-bit HotSpot with compressed references and 24 + 8 n without, both rounded up to 8, and in a heap without
holes the next object begins where it ends.  A gap larger than that proves nothing (a hole, or an object that
the dump left out); a smaller one proves that the array is not that large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels as parser_kernels
from heapscope.parser.kernels import OK
from heapscope.parser.layout import kernels
from heapscope.parser.records import u4_at
from heapscope.parser.tags import array_length_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST_ARRAYS = 10  # fewer could lie so by chance
_MOST_OBJECTS = 30_000_000  # 240 MB of addresses; a part of a larger heap tells as much
_COMPRESSED = (16, 4)  # bytes of the header, and of a reference
_FULL = (24, 8)


@dataclass(frozen=True, slots=True)
class ArrayGaps:
    """What lies behind arrays of references of one class.

    Attributes
    ----------
    array_count : int
        Arrays with an element and an object behind them.
    compressed_count, full_count : int
        Those that end where the next object begins, with references of 4 and of 8 bytes.
    compressed_overlaps, full_overlaps : int
        Those that would reach into the next object.
    """

    array_count: int = 0
    compressed_count: int = 0
    full_count: int = 0
    compressed_overlaps: int = 0
    full_overlaps: int = 0

    @property
    def reference_bytes(self) -> int | None:
        """4 or 8, as the arrays prove it; None where they do not."""
        if self.full_count >= _LEAST_ARRAYS and not self.full_overlaps:
            return 8
        if self.compressed_count >= _LEAST_ARRAYS and self.full_overlaps and not self.compressed_overlaps:
            return 4
        return None

    @property
    def evidence(self) -> str:
        """What was found, a phrase."""
        width = self.reference_bytes
        if width is None:
            return (
                f"what lies behind {self.array_count:,} arrays of references does not tell how wide these are"
            )
        count = self.full_count if width == 8 else self.compressed_count
        other = "none overlaps it" if width == 8 else f"with 8 bytes {self.full_overlaps:,} would overlap it"
        return (
            f"behind {count:,} of {self.array_count:,} arrays of references the next object begins where "
            f"references of {width} bytes end, and {other}"
        )


def measure_array_gaps(
    data: NDArray[np.uint8],
    segments: Sequence[tuple[int, int, int, int]],
    constants: NDArray[np.int64],
    array_class: int,
    identifier_bytes: int,
) -> ArrayGaps:
    """Look behind each array of a class; of a large heap behind those of its first part.

    Parameters
    ----------
    data : uint8 array
        The whole (inflated) dump.
    segments : sequence of (start, stop, objects, roots)
    constants : int64 array
        See `heapscope.parser.layout.kernel_constants`.
    array_class : int
        Identifier of the class of the arrays.
    identifier_bytes : int
        Of the dump's header.
    """
    taken: list[tuple[int, int, int, int]] = []
    total = 0
    for segment in segments:
        if taken and total + segment[2] > _MOST_OBJECTS:
            break
        taken.append(segment)
        total += segment[2]
    ids = np.empty(total, np.uint64)
    arrays = np.empty((total, 2), np.uint64)
    state = np.zeros(parser_kernels.STATE, np.int64)
    used = np.zeros(5, np.int64)
    nothing, pairs = np.empty(0, np.uint64), np.empty((0, 2), np.uint64)
    for start, stop, _, roots in taken:
        status = parser_kernels.collect_ids(data, start, stop, constants, ids, state)
        used[kernels.HANDLES] = 0
        if status == OK:
            status = kernels.collect(
                data, start, stop, constants, array_class, 0, 1, 0,
                pairs, nothing, arrays, np.empty(roots, np.uint64), nothing, used,
                np.zeros(2, np.uint64),
            )  # fmt: skip
        if status != OK:
            return ArrayGaps()
    ids.sort()
    found = arrays[: used[kernels.OBJECT_ARRAYS]]
    at = np.searchsorted(ids, found[:, 0], side="right")
    found, at = found[at < ids.size], at[at < ids.size]
    gaps = (ids[at] - found[:, 0]).astype(np.int64)
    offset = array_length_offset(identifier_bytes)
    lengths = np.array([u4_at(data, position + offset) for position in found[:, 1].tolist()], np.int64)
    compressed, full = ((header + width * lengths + 7) & -8 for header, width in (_COMPRESSED, _FULL))
    return ArrayGaps(
        array_count=int(gaps.size),
        compressed_count=int((gaps == compressed).sum()),
        full_count=int((gaps == full).sum()),
        compressed_overlaps=int((gaps < compressed).sum()),
        full_overlaps=int((gaps < full).sum()),
    )
