"""The compiled loops of `_waste_kernels`, callable without numba."""

from __future__ import annotations

from heapscope.machine_code import Kernel

# buf, offsets, seeds, identifier_bytes, widths, hashes, lengths
hash_arrays = Kernel(
    "heapscope.heap.retention._waste_kernels", "hash_arrays", "u1[] i8[] u8[] i8 i8[] u8[] i8[]"
)
