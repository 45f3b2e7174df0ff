"""Compiled loops over the contents of strings; called through `heapscope.heap.objects.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uintp

from heapscope.parser._record_kernels import _u4
from heapscope.parser.tags import BasicType, SubRecordTag


@njit(nogil=True)
def ascii_lengths(buf, offsets, is_wide, identifier_bytes, lengths):
    """Bytes of each array of a string that is plain ASCII; -1 for every other one.

    ``offsets`` are of the arrays' records, -1 for none; ``is_wide`` is 0 where a byte is a character.
    """
    limit = int64(buf.shape[0])
    head = 1 + identifier_bytes + 9
    for i in range(offsets.shape[0]):
        lengths[i] = -1
        pos = offsets[i]
        if is_wide[i] != 0 or pos < 0 or pos + head > limit:
            continue
        if (
            buf[uintp(pos)] != SubRecordTag.PRIMITIVE_ARRAY_DUMP
            or buf[uintp(pos + head - 1)] != BasicType.BYTE
        ):
            continue
        size = int64(_u4(buf, pos + head - 5))
        begin = pos + head
        if begin + size > limit:
            continue
        high = 0
        for at in range(begin, begin + size):
            high |= buf[uintp(at)]
        if high < 128:
            lengths[i] = size
    return 0


@njit(nogil=True)
def copy_bytes(buf, begins, lengths, ends, data):
    """Copy pieces of the dump one behind the other; a piece of length -1 is left out.

    Piece i ends at ``ends[i]`` of ``data``.
    """
    limit = int64(buf.shape[0])
    for i in range(begins.shape[0]):
        size = lengths[i]
        begin = begins[i]
        to = ends[i] - size
        if size <= 0 or begin < 0 or begin + size > limit or to < 0 or ends[i] > data.shape[0]:
            continue
        for k in range(size):
            data[uintp(to + k)] = buf[uintp(begin + k)]
    return 0


@njit(nogil=True)
def strings_with_words(buf, offsets, is_wide, identifier_bytes, words, starts, firsts, found):
    """Which strings have one of some words, in upper or lower case: 1; 0 for one that has none.

    ``words[starts[w]:starts[w + 1]]`` is word w in lower case, ``firsts[b]`` 1 where one begins with byte
    b.  A text with a character beyond Latin-1 has 1: its upper and lower case are not told here.  Elements
    of a ``char[]`` are big-endian, those of a ``byte[]`` with two bytes a character are little-endian.
    """
    limit = int64(buf.shape[0])
    head = 1 + identifier_bytes + 9
    for i in range(offsets.shape[0]):
        found[i] = 0
        pos = offsets[i]
        if pos < 0 or pos + head > limit or buf[uintp(pos)] != SubRecordTag.PRIMITIVE_ARRAY_DUMP:
            continue
        kind = buf[uintp(pos + head - 1)]
        count = int64(_u4(buf, pos + head - 5))
        step = int64(1)
        low = int64(0)
        if kind == BasicType.CHAR:
            step, low = int64(2), int64(1)
        elif kind != BasicType.BYTE:
            continue
        elif is_wide[i] != 0:
            step = int64(2)
            count //= 2
        begin = pos + head
        if begin + count * step > limit:
            continue
        for k in range(count):
            at = begin + k * step
            if step == 2 and buf[uintp(at + 1 - low)] != 0:
                found[i] = 1
                break
            byte = buf[uintp(at + low)]
            if firsts[byte] == 0:
                continue
            for w in range(starts.shape[0] - 1):
                size = starts[w + 1] - starts[w]
                if k + size > count:
                    continue
                same = int64(0)
                while same < size:
                    place = at + same * step
                    if step == 2 and buf[uintp(place + 1 - low)] != 0:
                        break
                    letter = buf[uintp(place + low)]
                    if 65 <= letter <= 90:
                        letter += 32
                    if letter != words[starts[w] + same]:
                        break
                    same += 1
                if same == size:
                    found[i] = 1
                    break
            if found[i] != 0:
                break
    return 0


@njit(nogil=True)
def find_bytes(buf, begin, end, pattern, shifts, places):
    """Where ``buf[begin:end]`` has a pattern, ascending, overlapping places too; how many, at most as fit.

    ``shifts[b]``: how far the pattern may be moved when its last byte lies on byte b.
    Source: R. N. Horspool, "Practical fast searching in strings", Software: Practice and Experience 10, 1980.
    """
    size = pattern.shape[0]
    last = size - 1
    end = min(end, int64(buf.shape[0]))
    count = int64(0)
    at = max(begin, int64(0))
    while at + size <= end and count < places.shape[0]:
        byte = buf[uintp(at + last)]
        if byte == pattern[uintp(last)]:
            k = int64(0)
            while k < last and buf[uintp(at + k)] == pattern[uintp(k)]:
                k += 1
            if k == last:
                places[uintp(count)] = at
                count += 1
        at += shifts[uintp(byte)]
    return count
