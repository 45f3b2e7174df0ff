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

_PART = 2  # of the dump that is searched for single objects
_LEAST_BYTES = 16 << 20
_KEPT_OBJECTS = 2 << 20  # whose places are remembered: 32 MB


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


class RecordFinder:
    """Finds the records of single objects: in the segments that can have them, each read once.

    Parameters
    ----------
    source : Source
    scan : HeapScan
        What was counted in it.
    """

    def __init__(self, source: Source, scan: HeapScan) -> None:
        self._source = source
        self._scan = scan
        self._constants = kernel_constants(scan.header.identifier_bytes, scan.layout)
        # Above that a pass over all of the dump is cheaper.
        self._left_bytes = max(_LEAST_BYTES, scan.dump_bytes // _PART)
        self._left_objects = _KEPT_OBJECTS
        self._read: dict[int, tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}

    def find(self, addresses: AddressMap, index: int) -> int | None:
        """Where one object's sub-record begins.

        Parameters
        ----------
        addresses : AddressMap
        index : int
            The object's row.

        Returns
        -------
        int or None
            None where no segment is known to have it, and where so many were searched that a pass over all
            of them is cheaper.
        """
        wanted = addresses.ids_of(np.array([index]))
        lows, highs = addresses.segment_ranges
        for row in np.nonzero((lows <= wanted) & (wanted <= highs))[0].tolist():
            if row not in self._read:
                if self._left_bytes <= 0:
                    return None
                self._left_bytes -= int(self._scan.segment_stops[row] - self._scan.segment_starts[row])
            offset = self._find_in(row, wanted)
            if offset is not None:
                return offset
        return None

    def _find_in(self, row: int, wanted: NDArray[np.uint64]) -> int | None:
        start, stop = int(self._scan.segment_starts[row]), int(self._scan.segment_stops[row])
        count = int(self._scan.segment_objects[row])
        state = np.zeros(kernels.STATE, np.int64)
        if row not in self._read and count <= self._left_objects:
            ids, offsets = np.empty(count, np.uint64), np.empty(count, np.int64)
            data = self._source.mapping()
            if kernels.locate_objects(data, start, stop, self._constants, ids, offsets, state) != kernels.OK:
                return None
            order = np.argsort(ids, kind="stable")
            self._read[row] = ids[order], offsets[order]
            self._left_objects -= count
        if row in self._read:
            ids, offsets = self._read[row]
            place = int(np.searchsorted(ids, wanted[0]))
            return int(offsets[place]) if place < ids.size and ids[place] == wanted[0] else None
        found = kernels.find_object(self._source.mapping(), start, stop, self._constants, wanted, state)
        return int(state[kernels.POSITION]) if found == kernels.OK else None
