"""Compiled loop that names references; called through `heapscope.heap.retention.kernels` only."""

from __future__ import annotations

from numba import int64, njit, uint64, uintp

from heapscope.parser._address_kernels import _index_of
from heapscope.parser._record_kernels import _id
from heapscope.parser.tags import SubRecordTag

_NOTHING = 0xFFFFFFFF


@njit(nogil=True)
def name_references(
    buf, offsets, class_index, indptr, class_targets, slot_starts, slots, slot_codes, referent_slots,
    referent_codes, grid, addresses, ids, identifier_bytes, codes,
):  # fmt: skip
    """A code for each reference of the graph, in its order: 1 its class, 2 an element, 0 not known here.

    The references of an instance of class c lie ``slots[slot_starts[c]:slot_starts[c + 1]]`` bytes behind
    its record's beginning, with ``slot_codes``; a referent that is followed at ``referent_slots[c]``, last.
    """
    limit = buf.shape[0]
    for row in range(class_index.shape[0]):
        at = int64(indptr[row])
        end = int64(indptr[row + 1])
        if at >= end:
            continue
        c = uintp(class_index[row])
        if class_targets[c] != _NOTHING:
            codes[at] = 1
            at += 1
        offset = int64(offsets[row])
        if offset < 0 or offset >= limit:
            continue
        tag = buf[offset]
        if tag == SubRecordTag.OBJECT_ARRAY_DUMP:
            for k in range(at, end):
                codes[k] = 2
            continue
        if tag != SubRecordTag.INSTANCE_DUMP:
            continue
        for s in range(slot_starts[c], slot_starts[c + uintp(1)]):
            place = offset + slots[s]
            if place + identifier_bytes > limit or at >= end:
                break
            target = _id(buf, uintp(place), identifier_bytes)
            if target != uint64(0) and _index_of(target, grid, addresses, ids) >= 0:
                codes[at] = slot_codes[s]
                at += 1
        # Before a referent there is nothing else: only threads have more, and no thread is a reference.
        if referent_slots[c] > 0 and at < end:
            codes[end - 1] = referent_codes[c]
    return 0
