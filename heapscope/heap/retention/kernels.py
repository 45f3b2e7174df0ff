"""The compiled loops of the kernel modules beside this one, callable without numba."""

from __future__ import annotations

from heapscope.machine_code import Kernel

_GROUPS = "heapscope.heap.retention._group_kernels"
_PATHS = "heapscope.heap.retention._class_path_kernels"
_WASTE = "heapscope.heap.retention._waste_kernels"
_REFERENCES = "heapscope.heap.retention._reference_kernels"
_EDGES = "heapscope.heap.retention._edge_kernels"
# Columns of labels by class: of elements, where it is an array; of its class object; of what is not known.
ELEMENT_COLUMN, CLASS_COLUMN, UNKNOWN_COLUMN = range(3)
LABEL_COLUMNS = 4

_CLASSES = ("u2", "i4")  # of class indices: narrow below 2**16
_SIZES = ("u4", "u8")  # of retained sizes in units: narrow below 2**32 of them, 34 GB

# immediate, retained, class_index, groups, owners, owner_groups, class_class, children, siblings, depths,
# totals; by the types of class_index and retained
retained_by_group = {
    (classes, sizes): Kernel(
        _GROUPS, "retained_by_group", f"u4[] {sizes}[] {classes}[] u4[4] u4[] u4[] i8 u4[] u4[] i8[] u8[]"
    )
    for classes in ("u2", "i4")
    for sizes in _SIZES
}
# parents, labels, pair_paths, pair_labels, pair_units, groups, totals
retained_by_path = Kernel(_GROUPS, "retained_by_path", "u4[] i4[] u4[] i4[] u8[] u4[4] u8[]")
# class_index, is_picked, retained, rows, sizes; by the types of class_index and retained
largest_of_classes = {
    (classes, sizes): Kernel(_GROUPS, "largest_of_classes", f"{classes}[] u1[] {sizes}[] i8[] u8[]")
    for classes in ("u2", "i4")
    for sizes in _SIZES
}
# immediate, marks, out
list_children = Kernel(_GROUPS, "list_children", "u4[] u8[] i8[]")
# tree, members, flags, nested
mark_nested = Kernel(_GROUPS, "mark_nested", "u4[] u4[] u8[4] u1[]")
# buf, offsets, seeds, identifier_bytes, widths, hashes, lengths
hash_arrays = Kernel(_WASTE, "hash_arrays", "u1[] i8[] u8[] i8 i8[] u8[] i8[]")
# immediate, retained, units, class_index, mirrors, mirror_labels, class_class, node_of, keys, values,
# parents, labels, depths, counts, shallow, sums, examples, stack, state, max_depth; by the types of
# class_index and retained
class_paths = {
    (classes, sizes): Kernel(
        _PATHS,
        "class_paths",
        f"u4[] {sizes}[] u4[] {classes}[] u4[] u4[] i8 u4[] u8[] u4[] "
        "u4[] i8[] i8[] i8[] u8[] u8[] u4[] u4[] i8[] i8",
    )
    for classes in ("u2", "i4")
    for sizes in _SIZES
}
# buf, offsets, class_index, indptr, class_targets, slot_starts, slots, slot_codes, referent_slots,
# referent_codes, grid, addresses, ids, identifier_bytes, codes; by the types of offsets, class_index, indptr
name_references = {
    (offsets, classes, starts): Kernel(
        _REFERENCES,
        "name_references",
        f"u1[] {offsets}[] {classes}[] {starts}[] u4[] i8[] i8[] u4[] i8[] u4[] u8[] u8[2] u8[] i8 u4[]",
    )
    for offsets in ("u4", "i8")
    for classes in ("u2", "i4")
    for starts in ("u4", "i8")
}
# buf, sources, targets, offsets, class_index, slot_starts, slots, slot_labels, of_class, class_objects,
# special, grid, table, ids, identifier_bytes, labels; by the type of class_index
label_pairs = {
    width: Kernel(
        _EDGES,
        "label_pairs",
        f"u1[] u4[] u4[] i8[] {width}[] i8[] i8[] u4[] u4[4] i8[] u8[] u8[] u8[2] u8[] i8 u4[]",
    )
    for width in _CLASSES
}
# parents, members, words
mark_ways = Kernel(_EDGES, "mark_ways", "u4[] u4[] u8[]")
# rows, count, table
fill_table = Kernel(_EDGES, "fill_table", "u4[4] i8 u4[]")
# parents, wanted, labels, class_index, special, mirrors, class_count, most_steps, rest, of_object, stack,
# rows, table, state; by the type of class_index
compose_paths = {
    width: Kernel(
        _EDGES,
        "compose_paths",
        f"u4[] u8[] u4[] {width}[] u8[] u4[] i8 i8 i8 u4[] u4[] u4[4] u4[] i8[]",
    )
    for width in _CLASSES
}
# sources, targets, labels, class_index, special, mirrors, of_object, rows, table, keys, state; by the type of
# class_index
step_to_members = {
    width: Kernel(_EDGES, "step_to_members", f"u4[] u4[] u4[] {width}[] u8[] u4[] u4[] u4[4] u4[] u8[] i8[]")
    for width in _CLASSES
}
# keys, rows, retained, last, counts, sums, examples; by the type of retained
sum_by_step = {
    sizes: Kernel(_EDGES, "sum_by_step", f"u8[] u4[4] {sizes}[] u4[] i8[] u8[] u4[]") for sizes in _SIZES
}
