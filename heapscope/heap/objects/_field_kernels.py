"""Compiled loop over fields of instances; called through `heapscope.heap.objects.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._record_kernels import _u4
from heapscope.parser.tags import SubRecordTag


@njit(nogil=True)
def read_numbers(buf, offsets, head, at, size, bits, is_there):
    """Big-endian numbers of ``size`` bytes, ``at`` bytes behind the head of each instance; 0 for none.

    ``offsets`` are of records, -1 for none; the last four bytes of a ``head`` tell how many follow it.
    """
    limit = int64(buf.shape[0])
    for i in range(offsets.shape[0]):
        bits[i] = 0
        is_there[i] = 0
        pos = offsets[i]
        end = pos + head + at + size
        if pos < 0 or end > limit or buf[uintp(pos)] != SubRecordTag.INSTANCE_DUMP:
            continue
        if int64(_u4(buf, pos + head - 4)) < at + size:
            continue
        number = uint64(0)
        for k in range(end - size, end):
            number = (number << uint64(8)) | uint64(buf[uintp(k)])
        bits[i] = number
        is_there[i] = 1
    return 0
