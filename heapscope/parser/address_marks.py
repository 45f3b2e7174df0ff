"""Which addresses have an object, noted while a dump is counted: an address map then needs no further pass.

The range of the addresses is known only once all are counted.  So the bits are set on a grid far around the
addresses of the dump's beginning, most of which never becomes memory, and serve where no object lay outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.addresses import alignment_bits, rounded_down
from heapscope.parser.kernels import GRID_BASE, GRID_BITS, GRID_SHIFT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# To both sides of the lowest address that is known: the largest heap of a JVM with compressed references.
_REACH_BYTES = 32 << 30


@dataclass(eq=False)
class AddressMarks:
    """Bits on a grid, and the range of each segment.

    Attributes
    ----------
    grid : uint64 array, shape (3,)
        As `heapscope.parser.addresses.AddressMap.address_grid`.
    ranges : uint64 array, shape (2, s)
        Lowest and highest address in each heap segment.
    parts : list of uint64 array
        The bits that each thread set.
    """

    grid: NDArray[np.uint64]
    ranges: NDArray[np.uint64]
    parts: list[NDArray[np.uint64]]

    def take(self, grid: NDArray[np.uint64]) -> list[NDArray[np.uint64]] | None:
        """The bits on another grid, for once: they are let go here.

        Parameters
        ----------
        grid : uint64 array, shape (3,)
            Of all objects that were marked.

        Returns
        -------
        list of uint64 array, or None
            None where they are taken already, or the grids do not match.
        """
        parts, self.parts = self.parts, []
        shift = int(grid[GRID_SHIFT])
        if not parts or shift != int(self.grid[GRID_SHIFT]):
            return None
        # Both begin with a whole word.
        first = (int(grid[GRID_BASE]) - int(self.grid[GRID_BASE])) >> (shift + 6)
        rows = (int(grid[GRID_BITS]) + 63) // 64
        return [words[first : first + rows] for words in parts]


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
    end = rounded_down(min(low + _REACH_BYTES, 1 << 64), shift)
    return np.array([base, shift, (end - base) >> shift], np.uint64)
