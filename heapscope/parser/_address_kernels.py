"""Compiled loops of `heapscope.parser.addresses`; called through `heapscope.parser.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser.kernels import BLOCK_ROWS, GRID_BASE, GRID_BITS, GRID_SHIFT, OK


@njit(forceinline=True)
def _popcount(word):
    """Bits set in a word (Warren, Hacker's Delight 5-1); LLVM makes one instruction of it."""
    word = word - ((word >> uint64(1)) & uint64(0x5555555555555555))
    word = (word & uint64(0x3333333333333333)) + ((word >> uint64(2)) & uint64(0x3333333333333333))
    word = (word + (word >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return (word * uint64(0x0101010101010101)) >> uint64(56)


@njit(forceinline=True)
def _index_of(address, grid, table, ids):
    """Object index of an identifier, -1 where the dump has no such object.

    ``grid`` and ``table`` as `heapscope.parser.addresses` describes them; without a table the
    sorted ``ids`` are searched.
    """
    if table.shape[0] > 0:
        distance = address - grid[GRID_BASE]  # below the base it wraps to more than there are
        bit = distance >> grid[GRID_SHIFT]
        if bit >= grid[GRID_BITS] or (bit << grid[GRID_SHIFT]) != distance:
            return int64(-1)
        row = uintp(bit >> uint64(6))
        mask = uint64(1) << (bit & uint64(63))
        word = table[row, 0]
        if (word & mask) == uint64(0):
            return int64(-1)
        return int64(table[row, 1] + _popcount(word & (mask - uint64(1))))
    low = int64(0)
    high = int64(ids.shape[0])
    while low < high:
        middle = (low + high) >> 1
        if ids[middle] < address:
            low = middle + 1
        else:
            high = middle
    if low < ids.shape[0] and ids[low] == address:
        return low
    return int64(-1)


@njit(nogil=True)
def merge_words(words, table):
    """Or ``words`` into the first column of ``table``."""
    for row in range(words.shape[0]):
        word = words[row]
        if word != uint64(0):
            table[row, 0] |= word
    return OK


@njit(nogil=True)
def rank_words(table):
    """Write into the second column how many bits are set in the rows above; the sum of all.

    Rows without a bit are left alone: pages that nothing touched stay unmade.
    """
    count = uint64(0)
    for row in range(table.shape[0]):
        word = table[row, 0]
        if word != uint64(0):
            table[row, 1] = count
            count += _popcount(word)
    return int64(count)


@njit(nogil=True)
def expand_ids(grid, table, ids):
    """The identifiers of all objects, ascending."""
    i = 0
    for row in range(table.shape[0]):
        word = table[row, 0]
        while word != uint64(0):
            low = word & (~word + uint64(1))
            bit = (uint64(row) << uint64(6)) + _popcount(low - uint64(1))
            ids[i] = grid[GRID_BASE] + (bit << grid[GRID_SHIFT])
            i += 1
            word ^= low
    return OK


@njit(nogil=True)
def block_ranks(table, ranks):
    """How many bits are set before each block of BLOCK_ROWS rows, int64."""
    count = int64(0)
    for block in range(ranks.shape[0]):
        ranks[block] = count
        for row in range(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, table.shape[0])):
            count += int64(_popcount(table[row, 0]))
    return OK


@njit(nogil=True)
def select_ids(grid, table, first_row, indices, out):
    """The identifiers of objects whose ``indices`` ascend, none of them before ``first_row``."""
    i = 0
    for row in range(first_row, table.shape[0]):
        word = table[row, 0]
        if word == uint64(0):
            continue
        first = int64(table[row, 1])
        last = first + int64(_popcount(word))
        while i < indices.shape[0] and indices[i] < last:
            rest = word
            for _ in range(indices[i] - first):
                rest &= rest - uint64(1)
            low = rest & (~rest + uint64(1))
            bit = (uint64(row) << uint64(6)) + _popcount(low - uint64(1))
            out[i] = grid[GRID_BASE] + (bit << grid[GRID_SHIFT])
            i += 1
        if i == indices.shape[0]:
            break
    return OK


@njit(nogil=True)
def indices_of(wanted, grid, table, ids, out):
    """Object index of each identifier in ``wanted``, -1 where there is none."""
    for i in range(wanted.shape[0]):
        out[i] = _index_of(wanted[i], grid, table, ids)
    return OK
