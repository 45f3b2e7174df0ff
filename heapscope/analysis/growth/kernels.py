"""The compiled loops of path groups, `_kernels`, callable without numba."""

from __future__ import annotations

from heapscope.machine_code import Kernel

_MODULE = "heapscope.analysis.growth._kernels"
_WIDTHS = ("u4", "i8")  # of CSR starts: narrow below 2**32 references
_SIZES = ("u4", "u8")  # of retained sizes in units: narrow below 2**32 of them, 34 GB

# parents, depths, stack
find_depths = Kernel(_MODULE, "find_depths", "u4[] u4[] u4[]")
# starts, targets, flags, strong, depths, ranks, class_index, special, mirrors, class_count, parents; by the
# types of starts and class_index
settle_parents = {
    (starts, classes): Kernel(
        _MODULE, "settle_parents", f"{starts}[] u4[] u8[4] u8[] u4[] u4[] {classes}[] u8[] u4[] i8 u4[]"
    )
    for starts in _WIDTHS
    for classes in ("u2", "i4")
}
# of_object, units, counts, sums
group_totals = Kernel(_MODULE, "group_totals", "u4[] u4[] i8[] u8[]")
# immediate, retained, of_object, children, siblings, depths, totals; by the type of retained
retained_by_path_group = {
    sizes: Kernel(_MODULE, "retained_by_path_group", f"u4[] {sizes}[] u4[] u4[] u4[] i8[] u8[]")
    for sizes in _SIZES
}
