"""The compiled loops of the kernel module beside this one, callable without numba."""

from __future__ import annotations

from heapscope.machine_code import Kernel

_STRINGS = "heapscope.heap.objects._string_kernels"

# buf, offsets, is_wide, identifier_bytes, lengths
ascii_lengths = Kernel(_STRINGS, "ascii_lengths", "u1[] i8[] u1[] i8 i8[]")
# buf, offsets, head, at, size, bits, is_there
read_numbers = Kernel("heapscope.heap.objects._field_kernels", "read_numbers", "u1[] i8[] i8 i8 i8 u8[] u1[]")
# buf, begins, lengths, ends, data
copy_bytes = Kernel(_STRINGS, "copy_bytes", "u1[] i8[] i8[] i8[] u1[]")
# buf, offsets, is_wide, identifier_bytes, words, starts, firsts, found
strings_with_words = Kernel(_STRINGS, "strings_with_words", "u1[] i8[] u1[] i8 u1[] i8[] u1[] u1[]")
# buf, begin, end, pattern, shifts, places
find_bytes = Kernel(_STRINGS, "find_bytes", "u1[] i8 i8 u1[] i8[] i8[]")
