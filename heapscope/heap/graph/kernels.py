"""The compiled loops of this folder, callable without numba; their planes and slots."""

from __future__ import annotations

from heapscope.machine_code import Kernel

NOTHING = 0xFFFFFFFF  # an object index that no object has
DONE, MORE = 0, 1

# Planes of the bit columns ``flags``.
VISITED, LEAF, SPECIAL, TOP_LEVEL = range(4)
PLANES = 4
# Columns of the link-eval forest.
ANCESTOR, LABEL = range(2)
# Slots of the loops' int64 ``state``.
NEXT, TOP, ROOT, PAIRS, TREE = range(5)
STATE = 8

_MODULE = "heapscope.heap.graph._kernels"
_TREE = "heapscope.heap.graph._dominator_kernels"
_WIDTHS = ("u4", "i8")  # of CSR starts: narrow below 2**32 references

# starts, flags
mark_leaves = {width: Kernel(_MODULE, "mark_leaves", f"{width}[] u8[4]") for width in _WIDTHS}
# members, flags, plane
mark = Kernel(_MODULE, "mark", "u4[] u8[4] i8")
_CLASSES = ("u2", "i4")  # of class indices: narrow below 2**16
# class_index, units, counts, sums
class_totals = {width: Kernel(_MODULE, "class_totals", f"{width}[] u4[] i8[] u8[]") for width in _CLASSES}
# class_index, is_wanted, out
list_instances = {width: Kernel(_MODULE, "list_instances", f"{width}[] u1[] i8[]") for width in _CLASSES}
# starts, targets
drop_lost = {width: Kernel(_MODULE, "drop_lost", f"{width}[] u4[]") for width in _WIDTHS}
# starts, targets, roots, flags, stack, order, parents, numbers, pairs, state, budget
depth_first = {
    width: Kernel(_TREE, "depth_first", f"{width}[] u4[] u4[] u8[4] u8[] u4[] u4[] u4[] u8[] i8[] i8")
    for width in _WIDTHS
}
# pairs, order, flags
keep_pairs = Kernel(_TREE, "keep_pairs", "u8[] u4[] u8[4]")
# pairs, shift, starts, heads
partition_pairs = Kernel(_TREE, "partition_pairs", "u8[] i8 i8[] i8[]")
# pairs, starts, spare, bits, counts
sort_buckets = Kernel(_TREE, "sort_buckets", "u8[] i8[] u8[] i8 i8[]")
# order, flags, parents, semis
plant = Kernel(_TREE, "plant", "u4[] u8[4] u4[] u4[]")
# pairs, parents, forest, semis, dominators, trail, state, budget
semidominators = Kernel(_TREE, "semidominators", "u8[] u4[] u4[2] u4[] u4[] u4[] i8[] i8")
# semis, dominators
settle = Kernel(_TREE, "settle", "u4[] u4[]")
_SIZES = ("u4", "u8")  # of retained sizes in units: narrow below 2**32 of them, 34 GB
# order, dominators, units, retained
add_up = {width: Kernel(_TREE, "add_up", f"u4[] u4[] u4[] {width}[]") for width in _SIZES}
# order, dominators, retained, immediate, sizes
by_object = {width: Kernel(_TREE, "by_object", f"u4[] u4[] {width}[] u4[] {width}[]") for width in _SIZES}
# order, dominators, retained, class_index, mirrors, class_class, class_count, path_of, keys, values, parents,
# labels, pair_paths, pair_labels, pair_next, pair_units, state; by the types of class_index and retained
sum_paths = {
    (classes, sizes): Kernel(
        "heapscope.heap.graph._path_sum_kernels",
        "sum_paths",
        f"u4[] u4[] {sizes}[] {classes}[] u4[] i8 i8 u4[] u8[] u4[] u4[] i4[] u4[] i4[] u4[] u8[] i8[]",
    )
    for classes in _CLASSES
    for sizes in _SIZES
}
# immediate, children, siblings
link_children = Kernel(_TREE, "link_children", "u4[] u4[] u4[]")
# starts, targets, flags, queue, parents, state, budget
breadth_first = {
    width: Kernel(_MODULE, "breadth_first", f"{width}[] u4[] u8[4] u4[] u4[] i8[] i8") for width in _WIDTHS
}
# starts, targets, flags, sources, found, state
incoming = {width: Kernel(_MODULE, "incoming", f"{width}[] u4[] u8[4] u4[] u4[] i8[]") for width in _WIDTHS}
# starts, targets, flags, stack, state, budget
flood = {width: Kernel(_MODULE, "flood", f"{width}[] u4[] u8[4] u4[] i8[] i8") for width in _WIDTHS}
# words, units, state
sum_units = Kernel(_MODULE, "sum_units", "u8[] u4[] i8[]")
# words, out
members_of = Kernel(_MODULE, "members_of", "u8[] i8[]")
