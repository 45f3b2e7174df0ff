"""Compiled loop over fields of many objects; called through `heapscope.heap.objects.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import _u4
from heapscope.parser.tags import SubRecordTag


@njit(nogil=True)
def read_numbers(buf, offsets, identifier_bytes, place, size, is_there, bits):
    """The bytes of a field as numbers, and which of the records have it; an offset of -1 is no record."""
    limit = int64(buf.shape[0])
    length_at = 1 + identifier_bytes + 4 + identifier_bytes
    for i in range(offsets.shape[0]):
        is_there[i] = 0
        pos = offsets[i]
        begin = pos + length_at + 4 + place
        if pos < 0 or place < 0 or begin + size > limit or buf[uintp(pos)] != SubRecordTag.INSTANCE_DUMP:
            continue
        if int64(_u4(buf, pos + length_at)) < place + size:
            continue
        value = uint64(0)
        for at in range(begin, begin + size):
            value = (value << uint64(8)) | uint64(buf[uintp(at)])
        bits[i] = value
        is_there[i] = 1
    return 0
