"""How all kernels look things up: in planes of bits, ascending values and hash tables; inlined there."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp


@njit(forceinline=True)
def _has(flags, v, plane):
    return (flags[uintp(v) >> uintp(6), plane] >> (uint64(v) & uint64(63))) & uint64(1)


@njit(forceinline=True)
def _set(flags, v, plane):
    flags[uintp(v) >> uintp(6), plane] |= uint64(1) << (uint64(v) & uint64(63))


@njit(forceinline=True)
def _row_of(ascending, v):
    """Where a value stands among ascending ones, -1 where it does not."""
    low = int64(0)
    high = int64(ascending.shape[0])
    while low < high:
        middle = (low + high) >> 1
        if ascending[middle] < v:
            low = middle + 1
        else:
            high = middle
    if low < ascending.shape[0] and ascending[low] == v:
        return low
    return int64(-1)


@njit(forceinline=True)
def _place_of(keys, key):
    """Row of a key, not 0, in a hash table with open addressing, or the free row where it would be."""
    mask = uint64(keys.shape[0] - 1)
    place = ((uint64(key) * uint64(0x9E3779B97F4A7C15)) >> uint64(20)) & mask
    while keys[place] != 0 and keys[place] != key:
        place = (place + uint64(1)) & mask
    return place
