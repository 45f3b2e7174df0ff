"""The compiled loops of path groups, `_kernels`, callable without numba."""

from __future__ import annotations

from heapscope.machine_code import Kernel

_MODULE = "heapscope.analysis.growth._kernels"
_WIDTHS = ("u4", "i8")  # of CSR starts: narrow below 2**32 references
_SIZES = ("u4", "u8")  # of retained sizes in units: narrow below 2**32 of them, 34 GB

# parents, depths, stack
find_depths = Kernel(_MODULE, "find_depths", "u4[] u4[] u4[]")
# starts, targets, flags, strong, depths, ranks, kinds, parents; by the type of starts
settle_parents = {
    width: Kernel(_MODULE, "settle_parents", f"{width}[] u4[] u8[4] u8[] u4[] u4[] u4[] u4[]")
    for width in _WIDTHS
}
# groups, count, table
fill_table = Kernel(_MODULE, "fill_table", "u4[4] i8 u4[]")
# parents, links, labels, kinds, of_object, stack, groups, table, deepest, state
compose = Kernel(_MODULE, "compose", "u4[] u8[] u4[] u4[] u4[] u4[] u4[4] u4[] i8 i8[]")
# of_object, units, counts, sums
group_totals = Kernel(_MODULE, "group_totals", "u4[] u4[] i8[] u8[]")
# immediate, retained, of_object, children, siblings, depths, totals; by the type of retained
retained_by_path_group = {
    sizes: Kernel(_MODULE, "retained_by_path_group", f"u4[] {sizes}[] u4[] u4[] u4[] i8[] u8[]")
    for sizes in _SIZES
}
