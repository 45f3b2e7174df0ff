"""The compiled loops of `_kernels`, callable without numba; their statuses and slots.

Each takes its bounds and checks every index against them before it reads, so that a hostile
file ends in a status and never in a read outside the buffer.  The functions here take arrays
of exactly the types named and return a status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.machine_code import Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.parser.layout.layout import Layout

# Why a kernel returned.
OK = 0
NEED_BYTES = 1  # the record at ``pos`` does not end inside the buffer
NEED_TABLE = 2  # the class table is too full for another class
NEED_CLASS_SLOTS = 3  # no room for another class dump's span
HEAP_RECORD = 4  # walk_records met a heap dump record
BAD_TAG = 10
OVERRUN = 11  # the sub-record ends behind its heap record
BAD_TYPE = 12
LENGTH_CHANGED = 13  # an instance is longer or shorter than an earlier one of its class
KIND_CHANGED = 14  # a class has both instances and array dumps
COUNT_CHANGED = 15  # a later pass met other objects than the first
BAD_CLASS = 16  # an instance or array of class 0
BAD_ROOT = 17  # a root that is nothing but bytes 0xFF

MET_CLASS = 20  # the pass that redacts met a class dump,
HEAP_NAME = 21  # Android's name of a heap,
NEED_CLASS = 22  # an instance of a class it does not know,
FIRST_OBJECT = 23  # or the first object, where it was told to wait for it

# Slots of scan_heap's int64 ``totals``, the last three of type codes or tags ...
OBJECTS, ROOTS, CLASSES, TABLE_USED, POSITION = range(5)
PRIMITIVE_COUNTS = 8  # + type code, up to 11
PRIMITIVE_BYTES = 24
ROOT_COUNTS = 40  # + tag, up to 255
TOTALS = 296
# ... of the passes over segments, beside OBJECTS, ROOTS and POSITION ...
LOST = 5  # references that lead nowhere
LISTED = 6  # referents
SEGMENT = 7  # row of the segment
STATE = 8
IS_WAITING, WIPES = 1, 2  # of the pass that redacts, beside POSITION and LISTED
# ... of its uint64 ``addresses`` ...
ADDRESS_OR, ADDRESS_MIN, ADDRESS_MAX = range(3)
# ... of walk_records' ``state``, beside POSITION ...
USED = 0
# ... and of the int64 ``constants``.
FIXED_BYTES = 0  # + tag: whole bytes of a sub-record of fixed size, 0 for others
VALUE_BYTES = 256  # + type code: bytes of a value in the dump, 0 for a code that is no type
ELEMENT_BASE = 512  # + type code: where an array's elements begin in memory
ELEMENT_BYTES = 528  # + type code: bytes of an element in memory
ALIGN = 544  # sizes in memory are multiples of it
UNIT = 545  # bytes that the column of sizes counts in
IDENTIFIER_BYTES = 546
CONSTANTS = 547

# Columns of a class table, one row (half a cache line) a class.
KEY, COUNT, AMOUNT, KIND = range(4)
KIND_INSTANCE = 1
KIND_ARRAY = 2

CHAIN = 4  # so many whole sub-records in a row are believed behind a damage

NOTHING = 0xFFFFFFFF  # in columns of object indices: none

# Slots of an address map's uint64 ``places``.
MAP_BASE, MAP_SHIFT, MAP_BITS = range(3)
BLOCK_ROWS = 4096  # of its table: where a search for an index begins

# Body bytes behind the tag, as (identifiers, plain bytes); roots and Android's heap info.
_FIXED = {
    0x01: (2, 0),
    0x02: (1, 8),
    0x03: (1, 8),
    0x04: (1, 4),
    0x05: (1, 0),
    0x06: (1, 4),
    0x07: (1, 0),
    0x08: (1, 8),
    0x89: (1, 0),
    0x8A: (1, 0),
    0x8B: (1, 0),
    0x8C: (1, 0),
    0x8D: (1, 0),
    0x8E: (1, 8),
    0x90: (1, 0),
    0xFE: (1, 4),
    0xFF: (1, 0),
}


def constants(identifier_bytes: int, layout: Layout, unit_bytes: int = 8) -> NDArray[np.int64]:
    """What the kernels must know of a dump, int64, shape (CONSTANTS,)."""
    found = np.zeros(CONSTANTS, np.int64)
    for tag, (identifiers, plain) in _FIXED.items():
        found[FIXED_BYTES + tag] = 1 + identifiers * identifier_bytes + plain
    found[VALUE_BYTES + np.array([2, 4, 5, 6, 7, 8, 9, 10, 11])] = [identifier_bytes, 1, 2, 4, 8, 1, 2, 4, 8]
    found[ELEMENT_BASE : ELEMENT_BASE + 12] = layout.array_base_bytes
    found[ELEMENT_BYTES : ELEMENT_BYTES + 12] = layout.array_scale_bytes
    found[ALIGN] = layout.alignment_bytes
    found[UNIT] = unit_bytes
    found[IDENTIFIER_BYTES] = identifier_bytes
    return found


_MODULE = "heapscope.parser._kernels"

# buf, stop_at_heap, tags, starts, lengths, state
walk_records = Kernel(_MODULE, "walk_records", "u1[] i8 u1[] i8[] i8[] i8[]")
# buf, positions, identifier_bytes, out
read_ids = Kernel(_MODULE, "read_ids", "u1[] i8[] i8 u8[]")
# buf, pos, stop, base, constants, table, spans, totals, addresses
scan_heap = Kernel(_MODULE, "scan_heap", "u1[] i8 i8 i8 i8[] u8[4] i8[2] i8[] u8[]")
# table, into
merge_tables = Kernel(_MODULE, "merge_tables", "u8[4] u8[4]")
# keys, counts, amounts, table
fill_table = Kernel(_MODULE, "fill_table", "u8[] u8[] u8[] u8[4]")

_SALVAGE = "heapscope.parser.broken._kernels"
# buf, pos, stop, known_stop, constants, table, limits, state
find_record = Kernel(_SALVAGE, "find_record", "u1[] i8 i8 i8 i8[] u8[4] u8[] i8[]")
# buf, pos, identifier_bytes, state
find_top_level = Kernel(_SALVAGE, "find_top_level", "u1[] i8 i8 i8[]")
# buf, pos, stop, constants, drop, ranges, state
drop_records = Kernel(_SALVAGE, "drop_records", "u1[] i8 i8 i8[] u1[] i8[2] i8[]")

# buf, pos, stop, constants, table, spans, text_bytes, texts, state
redact = Kernel("heapscope.parser.redaction._kernels", "redact", "u1[] i8 i8 i8[] u8[4] i8[2] i8 i8[2] i8[]")

_ADDRESSES = "heapscope.parser._address_kernels"
_SEGMENTS = "heapscope.parser._segment_kernels"
# How identifiers become indices: places, table, sorted ids; see heapscope.parser.addresses.
_MAP = "u8[] u8[2] u8[]"

# buf, pos, stop, constants, places, words, lows, highs, state
mark_addresses = Kernel(_SEGMENTS, "mark_addresses", "u1[] i8 i8 i8[] u8[] u8[] u8[] u8[] i8[]")
# buf, pos, stop, constants, wanted, state
find_object = Kernel(_SEGMENTS, "find_object", "u1[] i8 i8 i8[] u8[] i8[]")
# buf, pos, stop, constants, ids, state
collect_ids = Kernel(_SEGMENTS, "collect_ids", "u1[] i8 i8 i8[] u8[] i8[]")
# words, table
merge_words = Kernel(_ADDRESSES, "merge_words", "u8[] u8[2]")
# table
rank_words = Kernel(_ADDRESSES, "rank_words", "u8[2]")
# places, table, ids
expand_ids = Kernel(_ADDRESSES, "expand_ids", "u8[] u8[2] u8[]")
# table, ranks
block_ranks = Kernel(_ADDRESSES, "block_ranks", "u8[2] i8[]")
# places, table, first_row, indices, out
select_ids = Kernel(_ADDRESSES, "select_ids", "u8[] u8[2] i8 i8[] u8[]")
# wanted, map, out
indices_of = Kernel(_ADDRESSES, "indices_of", f"u8[] {_MAP} i8[]")
_STARTS = ("u4", "i8")  # of CSR rows, or offsets: narrow below 2**32
_CLASSES = ("u2", "i4")  # of class indices: narrow below 2**16
# buf, pos, stop, constants, table, primitive_class, class_class, slot_starts, slots, referent_slots, map,
# class_index, sizes, degrees, root_kinds, root_ids, root_first, root_second, state; by the types of
# class_index and degrees
fill_columns = {
    (classes, starts): Kernel(
        _SEGMENTS,
        "fill_columns",
        f"u1[] i8 i8 i8[] u8[4] i8[] i8 i8[] i8[] i8[] {_MAP} "
        f"{classes}[] u4[] {starts}[] u1[] u8[] u4[] u4[] i8[]",
    )
    for classes in _CLASSES
    for starts in _STARTS
}
# buf, base, pos, stop, constants, map, offsets, state; by the type of offsets
fill_offsets = {
    width: Kernel(_SEGMENTS, "fill_offsets", f"u1[] i8 i8 i8 i8[] {_MAP} {width}[] i8[]") for width in _STARTS
}
# starts, class_index, class_targets; by the types of class_index and starts
row_starts = {
    (classes, starts): Kernel(_SEGMENTS, "row_starts", f"{starts}[] {classes}[] u4[]")
    for classes in _CLASSES
    for starts in _STARTS
}
# buf, pos, stop, constants, table, primitive_class, class_targets, slot_starts, slots, referent_slots, map,
# starts, targets, referents, state; by the type of starts
fill_references = {
    width: Kernel(
        _SEGMENTS,
        "fill_references",
        f"u1[] i8 i8 i8[] u8[4] i8[] u4[] i8[] i8[] i8[] {_MAP} {width}[] u4[] u8[] i8[]",
    )
    for width in _STARTS
}
