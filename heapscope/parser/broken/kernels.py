"""The compiled loops that look for whole records in a damaged dump, callable without numba.

As in `heapscope.parser.kernels`, whose statuses, slots and columns they use.
"""

from __future__ import annotations

from heapscope.machine_code import Kernel

CHAIN = 4  # so many whole sub-records in a row are believed behind a damage
TOP_LEVEL_CHAIN = 3  # so many top-level records
MAX_UTF8_BYTES = 0x10000  # a class file says the length of a name in two bytes

_MODULE = "heapscope.parser.broken._kernels"
# buf, pos, stop, known_stop, constants, table, limits, state
find_record = Kernel(_MODULE, "find_record", "u1[] i8 i8 i8 i8[] u8[4] u8[] i8[]")
# buf, pos, identifier_bytes, state
find_top_level = Kernel(_MODULE, "find_top_level", "u1[] i8 i8 i8[]")
# buf, pos, stop, constants, drop, ranges, state
drop_records = Kernel(_MODULE, "drop_records", "u1[] i8 i8 i8[] u1[] i8[2] i8[]")
