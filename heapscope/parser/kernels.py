"""The compiled loops of this folder, callable without numba; their statuses, slots and columns.

Each takes its bounds and checks every index against them before it reads, so that a hostile
file ends in a status and never in a read outside the buffer.  The functions here take arrays
of exactly the types named and return a status.
"""

from __future__ import annotations

from heapscope.machine_code import Kernel

# Why a kernel returned.
OK = 0
NEED_BYTES = 1  # the record at ``pos`` does not end inside the buffer
NEED_TABLE = 2  # the class table is too full for another class, or a list is
NEED_CLASS_SLOTS = 3  # no room for another class dump's span
HEAP_RECORD = 4  # list_records met a heap dump record
NEED_PAGE = 5  # no room for another page of marks
BAD_TAG = 10
OVERRUN = 11  # the sub-record ends behind its heap record
BAD_TYPE = 12
LENGTH_CHANGED = 13  # an instance is longer or shorter than an earlier one of its class
KIND_CHANGED = 14  # a class has both instances and array dumps
COUNT_CHANGED = 15  # a later pass met other objects than the first
BAD_CLASS = 16  # an instance or array of class 0
BAD_ROOT = 17  # a root that is nothing but bytes 0xFF

# Slots of the int64 arrays in which kernels keep what they reached: ``totals`` of scan_heap ...
OBJECTS, ROOTS, CLASSES, TABLE_USED, POSITION, UNMARKED, MARKED_PAGES = range(7)
ARRAY_COUNTS = 8  # + type code: primitive arrays
ARRAY_MEMORY = 24  # + type code: their bytes in memory
ROOT_COUNTS = 40  # + tag, up to 255: root records
TOTALS = 296
# ... and ``state`` of all others, beside OBJECTS, ROOTS and POSITION.
LISTED = 5  # entries of a list that the kernel fills: records, referents, texts
LOST = 6  # references that lead nowhere
SEGMENT = 7  # row of the segment
STATE = 8
# Slots of scan_heap's uint64 ``addresses``.
ADDRESS_OR, ADDRESS_MIN, ADDRESS_MAX = range(3)

# Slots of the int64 ``constants``, which `heapscope.parser.layout.kernel_constants` makes.
FIXED_BYTES = 0  # + tag: whole bytes of a sub-record of fixed size, 0 for others
TYPE_BYTES = 256  # + type code: bytes of a value in the dump, 0 for a code that is no type
ELEMENT_BASE = 512  # + type code: where an array's elements begin in memory
ELEMENT_BYTES = 528  # + type code: bytes of an element in memory
ALIGN = 544  # sizes in memory are multiples of it
UNIT = 545  # bytes that the column of sizes counts in
IDENTIFIER_BYTES = 546
CONSTANTS = 547

# Columns of a class table (uint64, shape (2**k, 4)): a hash table by class identifier, one row (half a
# cache line) a class.  The first column is the key, 0 in a free row; the others depend on what the table
# is for.
KEY = 0
COLUMNS = 4
# Of the table that counts; KIND says which of the two meanings column 2 has.
COUNT = 1  # instances or arrays
DATA_BYTES = 2  # of a class of instances: bytes of the field values of one
MEMORY_BYTES = 2  # of a class of arrays: bytes in memory of all together
KIND = 3
KIND_INSTANCE = 1
KIND_ARRAY = 2
# Of the table that fills columns.
CLASS_INDEX = 1
INSTANCE_UNITS = 2  # shallow size of an instance, counted in UNIT

NOTHING = 0xFFFFFFFF  # in columns of object indices: none

# Slots of an address map's uint64 ``grid``.
GRID_BASE, GRID_SHIFT, GRID_BITS = range(3)
BLOCK_ROWS = 4096  # of its table: where a search for an index begins
PAGE_WORDS = 1 << 14  # of bits that are marked while a dump is counted: 8 MB of a heap

_RECORDS = "heapscope.parser._kernels"
# buf, stop_at_heap, tags, starts, lengths, state
list_records = Kernel(_RECORDS, "list_records", "u1[] i8 u1[] i8[] i8[] i8[]")
# buf, positions, identifier_bytes, out
read_ids = Kernel(_RECORDS, "read_ids", "u1[] i8[] i8 u8[]")
# buf, pos, stop, base, constants, table, spans, totals, addresses, grid, pages, words
scan_heap = Kernel(_RECORDS, "scan_heap", "u1[] i8 i8 i8 i8[] u8[4] i8[2] i8[] u8[] u8[] i8[] u8[]")
# table, into
merge_tables = Kernel(_RECORDS, "merge_tables", "u8[4] u8[4]")
# rows, table
fill_table = Kernel(_RECORDS, "fill_table", "u8[4] u8[4]")

_ADDRESSES = "heapscope.parser._address_kernels"
# How identifiers become indices: grid, table, sorted ids; see heapscope.parser.addresses.
_MAP = "u8[] u8[2] u8[]"
# words, table
merge_words = Kernel(_ADDRESSES, "merge_words", "u8[] u8[2]")
# table
rank_words = Kernel(_ADDRESSES, "rank_words", "u8[2]")
# grid, table, ids
expand_ids = Kernel(_ADDRESSES, "expand_ids", "u8[] u8[2] u8[]")
# table, ranks
block_ranks = Kernel(_ADDRESSES, "block_ranks", "u8[2] i8[]")
# grid, table, first_row, indices, out
select_ids = Kernel(_ADDRESSES, "select_ids", "u8[] u8[2] i8 i8[] u8[]")
# wanted, map, out
indices_of = Kernel(_ADDRESSES, "indices_of", f"u8[] {_MAP} i8[]")

_SEGMENTS = "heapscope.parser._segment_kernels"
_STARTS = ("u4", "i8")  # of CSR rows, or offsets: narrow below 2**32
_CLASSES = ("u2", "i4")  # of class indices: narrow below 2**16
# buf, pos, stop, constants, grid, words, lows, highs, state
mark_addresses = Kernel(_SEGMENTS, "mark_addresses", "u1[] i8 i8 i8[] u8[] u8[] u8[] u8[] i8[]")
# buf, pos, stop, constants, wanted, state
find_object = Kernel(_SEGMENTS, "find_object", "u1[] i8 i8 i8[] u8[] i8[]")
# buf, pos, stop, constants, ids, offsets, state
locate_objects = Kernel(_SEGMENTS, "locate_objects", "u1[] i8 i8 i8[] u8[] i8[] i8[]")
# buf, pos, stop, constants, ids, state
collect_ids = Kernel(_SEGMENTS, "collect_ids", "u1[] i8 i8 i8[] u8[] i8[]")
# buf, base, pos, stop, constants, table, primitive_class, class_class, slot_starts, slots, referent_slots,
# map, class_index, sizes, degrees, offsets, root_kinds, root_ids, root_first, root_second, state; by the
# types of class_index and degrees
fill_columns = {
    (classes, starts): Kernel(
        _SEGMENTS,
        "fill_columns",
        f"u1[] i8 i8 i8 i8[] u8[4] i8[] i8 i8[] i8[] i8[] {_MAP} "
        f"{classes}[] u4[] {starts}[] u4[] u1[] u8[] u4[] u4[] i8[]",
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
