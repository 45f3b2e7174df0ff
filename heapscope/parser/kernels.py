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

    from heapscope.parser.layout import Layout

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
COUNT_CHANGED = 15  # the second pass met another number of objects than the first
BAD_CLASS = 16  # an instance or array of class 0

# Slots of scan_heap's int64 ``totals``, the last three of type codes or tags ...
OBJECTS, ROOTS, CLASSES, TABLE_USED, POSITION = range(5)
PRIMITIVE_COUNTS = 8  # + type code, up to 11
PRIMITIVE_BYTES = 24
ROOT_COUNTS = 40  # + tag, up to 255
TOTALS = 296
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
# buf, pos, stop, constants, table, primitive_class, class_class, row, row_end, root, root_end,
# ids, class_index, offsets, sizes, root_kinds, root_ids, root_first, root_second
fill_columns = Kernel(
    _MODULE,
    "fill_columns",
    "u1[] i8 i8 i8[] u8[4] i8[] i8 i8 i8 i8 i8 u8[] i4[] i8[] u4[] u1[] u8[] u4[] u4[]",
)
