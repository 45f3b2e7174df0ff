"""Which addresses have an object, noted while a dump is counted: an address map then needs no further pass.

The range of the addresses is known only once all are counted.  So the bits are set on a grid far around the
addresses of the dump's beginning.  It is cut into pages, and only those with an object are memory.  The bits
are used only if every object lay on the grid, and no thread gave up because its objects lie far apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels
from heapscope.parser.addresses import alignment_bits, rounded_down
from heapscope.parser.kernels import GRID_BASE, GRID_BITS, GRID_SHIFT, PAGE_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# To both sides of the lowest address that is known: the largest heap of a JVM with compressed references and
# the usual alignment.
_REACH_BYTES = 32 << 30
_FIRST_PAGES = 8
# Pages of a thread that take more than this are not doubled again, and nothing is marked: chosen.  Objects
# that lie side by side need a few bits each.
_LEAST_BYTES = 16 << 20
_BYTES_PER_OBJECT = 16


class MarkPages:
    """The bits that one thread sets.

    Parameters
    ----------
    grid : uint64 array, shape (3,), optional
        As `heapscope.parser.addresses.AddressMap.address_grid`; None: nothing is marked.

    Attributes
    ----------
    grid : uint64 array, shape (3,)
    pages : int64 array
        Which page of ``words`` has the bits of each page of the grid; -1 for none.
    words : uint64 array
        Pages of `PAGE_WORDS`.
    """

    def __init__(self, grid: NDArray[np.uint64] | None) -> None:
        page_bits = 64 * PAGE_WORDS
        count = 0 if grid is None else -(-int(grid[GRID_BITS]) // page_bits)
        self.grid = np.zeros(3, np.uint64) if grid is None else grid
        self.pages = np.full(count, -1, np.int64)
        self.words = np.zeros(_FIRST_PAGES * PAGE_WORDS if count else 0, np.uint64)

    def grow(self, object_count: int) -> bool:
        """Double the room for pages, or give marking up and let all pages go.

        Parameters
        ----------
        object_count : int
            Objects that this thread has counted so far.

        Returns
        -------
        bool
            False where the objects lie so far apart that another pass is cheaper: no more are marked then.
        """
        if self.words.nbytes > _LEAST_BYTES + _BYTES_PER_OBJECT * object_count:
            self.pages, self.words = np.empty(0, np.int64), np.empty(0, np.uint64)
            return False
        words = np.zeros(2 * self.words.size, np.uint64)  # what no object needs never becomes memory
        words[: self.words.size] = self.words
        self.words = words
        return True


@dataclass(eq=False)
class AddressMarks:
    """The bits of all objects of a dump, and the range of each segment.

    Attributes
    ----------
    parts : list of MarkPages
        Of each thread.
    ranges : uint64 array, shape (2, s)
        Lowest and highest address in each heap segment.
    version : tuple
        `heapscope.parser.source.Source.version` before they were set.
    """

    parts: list[MarkPages]
    ranges: NDArray[np.uint64]
    version: tuple[int, ...]

    def let_go(self) -> None:
        """Forget the bits: nobody will need them."""
        self.parts = []

    def add_to(self, table: NDArray[np.uint64], grid: NDArray[np.uint64]) -> bool:
        """Set the bits in an address map, and let them go.

        Parameters
        ----------
        table : uint64 array, shape (w, 2)
            As `heapscope.parser.addresses.AddressMap.table`; its first column is written to.
        grid : uint64 array, shape (3,)
            Its grid.

        Returns
        -------
        bool
            Whether there were bits of that alignment.
        """
        parts, self.parts = self.parts, []
        shift = int(grid[GRID_SHIFT])
        if not parts or any(int(part.grid[GRID_SHIFT]) != shift for part in parts):
            return False
        for part in parts:
            # Both grids begin with a whole word.
            before = (int(grid[GRID_BASE]) - int(part.grid[GRID_BASE])) >> (shift + 6)
            for page in np.nonzero(part.pages >= 0)[0].tolist():
                begin = page * PAGE_WORDS - before
                first, last = max(begin, 0), min(begin + PAGE_WORDS, table.shape[0])
                if first < last:
                    at = int(part.pages[page]) * PAGE_WORDS - begin
                    kernels.merge_words(part.words[at + first : at + last], table[first:last])
        return True


def grid_around(low: int, address_bits: int) -> NDArray[np.uint64] | None:
    """A grid on which objects are marked before all are known.

    Parameters
    ----------
    low : int
        The lowest address that is known.
    address_bits : int
        All known ones, or-ed: the lowest bit is the alignment.

    Returns
    -------
    uint64 array, shape (3,), or None
        None where nothing is known.
    """
    if not address_bits:
        return None
    shift = alignment_bits(address_bits)
    base = rounded_down(max(0, low - _REACH_BYTES), shift)
    end = min(low + _REACH_BYTES, 1 << 64)
    return np.array([base, shift, max(1, (end - base) >> shift)], np.uint64)
