"""From identifiers to object indices: a bitmap over the address range with a rank per word.

Identifiers of a JVM are addresses, multiples of the object alignment within the heap's range.
A bit for each place an object can begin, and beside each word of 64 bits the number of bits
set before it, turn an address into its rank among all addresses with one load and one count
of bits (Jacobson, "Space-efficient static trees and graphs", FOCS 1989).  Where identifiers
are no addresses or lie far apart, a sorted table is searched instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A bitmap takes 16 bytes for 64 places. Where that is more than this for each object, a sorted table
# (8 bytes) with a binary search is cheaper.
_MAX_BYTES_PER_OBJECT = 64
_FREE_BYTES = 1 << 31  # of address space; pages that no object touches are never made


@dataclass(eq=False)
class AddressMap:
    """Identifier -> object index, and back.

    Attributes
    ----------
    address_grid : uint64 array, shape (3,)
        Where the word with the lowest address begins, log2 of the alignment, number of places.
    table : uint64 array, shape (w, 2)
        Bits of 64 places, and how many bits the rows above have; no rows: `sorted_ids` is used.
    sorted_ids : uint64 array
        Shape (n,), strictly increasing; empty where there is a table.
    object_count : int
    segment_ranges : uint64 array, shape (2, s)
        Lowest and highest identifier in each heap segment; no columns where that is not known.
    """

    address_grid: NDArray[np.uint64]
    table: NDArray[np.uint64]
    sorted_ids: NDArray[np.uint64]
    object_count: int
    segment_ranges: NDArray[np.uint64]
    _object_ids: NDArray[np.uint64] | None = field(default=None, init=False, repr=False)

    def indices_of(self, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Object indices of identifiers, int64, -1 where the dump has no such object."""
        wanted = np.ascontiguousarray(ids, np.uint64)
        found = np.empty(wanted.size, np.int64)
        kernels.indices_of(wanted.reshape(-1), self.address_grid, self.table, self.sorted_ids, found)
        return found

    def ids_of(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Identifiers of objects, uint64, in the order of ``indices``."""
        if self.has_object_ids:
            return self.object_ids[indices]
        order = np.argsort(indices, kind="stable")
        found = np.empty(indices.size, np.uint64)
        wanted = np.ascontiguousarray(indices[order], np.int64)
        block = int(np.searchsorted(self._block_ranks, wanted[:1].sum(), side="right")) - 1
        kernels.select_ids(self.address_grid, self.table, max(block, 0) * kernels.BLOCK_ROWS, wanted, found)
        ids = np.empty_like(found)
        ids[order] = found
        return ids

    @cached_property
    def _block_ranks(self) -> NDArray[np.int64]:
        ranks = np.empty(-(-self.table.shape[0] // kernels.BLOCK_ROWS), np.int64)
        kernels.block_ranks(self.table, ranks)
        return ranks

    @property
    def object_ids(self) -> NDArray[np.uint64]:
        """Identifiers of all objects, uint64, shape (n,), strictly increasing; made when first asked for."""
        if not self.table.shape[0]:
            return self.sorted_ids
        if self._object_ids is None:
            self._object_ids = self.expanded()
        return self._object_ids

    def expanded(self) -> NDArray[np.uint64]:
        """`object_ids`, not kept: 8 bytes an object, for whoever needs all of them once."""
        if self.has_object_ids:
            return self.object_ids
        ids = np.empty(self.object_count, np.uint64)
        kernels.expand_ids(self.address_grid, self.table, ids)
        return ids

    @property
    def has_object_ids(self) -> bool:
        """Whether `object_ids` is there already."""
        return not self.table.shape[0] or self._object_ids is not None


def make_address_grid(low: int, high: int, address_bits: int, object_count: int) -> NDArray[np.uint64] | None:
    """The grid on which a bitmap has a place for each address an object can begin at.

    Parameters
    ----------
    low, high : int
        The lowest and the highest address.
    address_bits : int
        All addresses, or-ed: its lowest bit is the alignment.
    object_count : int

    Returns
    -------
    uint64 array, shape (3,), or None
        `AddressMap.address_grid`; None where a bitmap would be too large.
    """
    if not object_count:
        return None
    # Differences have the alignment of what is or-ed together.
    shift = alignment_bits(address_bits)
    base = rounded_down(low, shift)
    bits = ((high - base) >> shift) + 1
    if bits > 4 * max(_FREE_BYTES, _MAX_BYTES_PER_OBJECT * object_count):
        return None
    return np.array([base, shift, bits], np.uint64)


def alignment_bits(address_bits: int) -> int:
    """Log2 of the alignment of addresses, by all of them or-ed."""
    return (address_bits & -address_bits).bit_length() - 1 if address_bits else 0


def rounded_down(address: int, shift: int) -> int:
    """The address at which the word of a grid begins that has its bit."""
    return address >> (shift + 6) << (shift + 6)
