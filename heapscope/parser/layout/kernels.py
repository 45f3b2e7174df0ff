"""The compiled loops that look for objects of the VM, callable without numba.

As in `heapscope.parser.kernels`, whose statuses, slots and columns they use beside their own.
"""

from __future__ import annotations

from heapscope.machine_code import Kernel

NEED_ROOM = 20  # status: more objects than the first pass counted

# Slots of ``used``: how many of each were gathered.
INT_ARRAYS, BYTE_ARRAYS, OBJECT_ARRAYS, HANDLES, STRINGS = range(5)

# Columns of the class table, beside KEY: rows of ``reference_offsets``.
FIRST_REFERENCE = 1
END_REFERENCE = 2

_MODULE = "heapscope.parser.layout._kernels"
# buf, pos, stop, constants, array_class, string_class, min_length, sample, int_arrays, byte_arrays,
# object_arrays, handles, strings, used, bounds
collect = Kernel(_MODULE, "collect", "u1[] i8 i8 i8[] i8 i8 i8 i8 u8[2] u8[] u8[2] u8[] u8[] i8[] u8[]")
# keys, bits, shift
fill_bloom = Kernel(_MODULE, "fill_bloom", "u8[] u8[] i8")
# buf, pos, stop, constants, table, reference_offsets, wanted, bits, shift, seen, ids, is_there, next_ids
check = Kernel(_MODULE, "check", "u1[] i8 i8 i8[] u8[4] i8[] u8[] u8[] i8 u1[] u8[] u1[] u8[]")
