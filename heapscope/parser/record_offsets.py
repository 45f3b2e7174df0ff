"""Where the records of objects begin in a dump: of all, by a pass over it, or of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.parser import kernels
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.segment_pass import pass_over_segments
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from heapscope.parser.addresses import AddressMap
    from heapscope.parser.scan import HeapScan
    from heapscope.parser.source import Source


def find_offsets(
    source: Source,
    scan: HeapScan,
    addresses: AddressMap,
    progress: Progress = no_progress,
    allocate: Callable[[int, str], NDArray[Any]] = np.empty,
) -> NDArray[np.uint32] | NDArray[np.int64]:
    """Where each object's sub-record begins in the inflated dump, shape (n,); uint32 below 4 GiB, else int64.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    addresses : AddressMap
        Tells which row an object has.
    progress : Progress
    allocate : callable
        Makes the array, of a length and a type.

    Raises
    ------
    CorruptRecord
        The file changed since it was scanned.
    """
    width = "u4" if scan.dump_bytes < 1 << 32 else "i8"
    offsets = allocate(scan.object_count, width)
    constants = kernel_constants(scan.header.identifier_bytes, scan.layout)

    def step(window: NDArray[np.uint8], base: int, position: int, stop: int, state: NDArray[np.int64]) -> int:
        return kernels.fill_offsets[width](
            window, base, position, stop, constants,
            addresses.address_grid, addresses.table, addresses.sorted_ids, offsets, state,
        )  # fmt: skip

    pass_over_segments(source, scan, lambda: step, progress, "locating objects")
    return offsets


def find_offset(source: Source, scan: HeapScan, addresses: AddressMap, index: int) -> int | None:
    """Where one object's sub-record begins.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    addresses : AddressMap
    index : int
        The object's row.

    Returns
    -------
    int or None
        None where no segment is known to have it.
    """
    wanted = addresses.ids_of(np.array([index]))
    lows, highs = addresses.segment_ranges
    constants = kernel_constants(scan.header.identifier_bytes, scan.layout)
    state = np.zeros(kernels.STATE, np.int64)
    data = source.mapping()
    for row in np.nonzero((lows <= wanted) & (wanted <= highs))[0].tolist():
        start, stop = int(scan.segment_starts[row]), int(scan.segment_stops[row])
        if kernels.find_object(data, start, stop, constants, wanted, state) == kernels.OK:
            return int(state[kernels.POSITION])
    return None
