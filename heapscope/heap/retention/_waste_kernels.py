"""Compiled loops over the contents of arrays; called through `heapscope.heap.retention.kernels`."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import _u4


@njit(nogil=True)
def hash_arrays(buf, offsets, seeds, identifier_bytes, widths, hashes, lengths):
    """A hash of 64 bits of the contents of each primitive array, and its bytes; 0 and -1 for what is none.

    FNV-1a with whole words (Fowler, Noll, Vo); equal hashes are compared before anybody believes them.
    """
    limit = int64(buf.shape[0])
    head = 1 + identifier_bytes + 9
    for i in range(offsets.shape[0]):
        hashes[i] = 0
        lengths[i] = -1
        pos = offsets[i]
        if pos < 0 or pos + head > limit or buf[uintp(pos)] != 0x23:
            continue
        kind = buf[uintp(pos + 9 + identifier_bytes)]
        if kind >= widths.shape[0] or widths[kind] == 0:
            continue
        size = _u4(buf, pos + 5 + identifier_bytes) * widths[kind]
        at = pos + head
        if at + size > limit:
            continue
        code = uint64(0xCBF29CE484222325) ^ seeds[i]
        end = at + size
        while at + 4 <= end:
            code = (code ^ uint64(_u4(buf, at))) * uint64(0x100000001B3)
            code ^= code >> uint64(29)
            at += 4
        while at < end:
            code = (code ^ uint64(buf[uintp(at)])) * uint64(0x100000001B3)
            at += 1
        code = (code ^ uint64(size)) * uint64(0x9E3779B97F4A7C15)
        hashes[i] = code ^ (code >> uint64(32))
        lengths[i] = size
    return 0
