"""What the kernels must know of the classes of a dump."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser.hash_table import hash_table
from heapscope.parser.instance_data import ReferenceFields
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import Layout, instance_bytes
from heapscope.parser.tags import TYPE_CODES, BasicType, instance_head_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from heapscope.parser.records import JavaClass
    from heapscope.parser.scan import HeapScan


@dataclass(frozen=True)
class ClassTables:
    """What the passes over segments must know of the classes.

    Attributes
    ----------
    table : uint64 array, shape (2**k, 4)
        Class table with CLASS_INDEX and INSTANCE_UNITS.
    slot_starts : int64 array, shape (c + 1,)
    slots : int64 array
        Where the references of an instance lie, in bytes from its record's beginning; of class i
        ``slots[slot_starts[i]:slot_starts[i + 1]]``, ascending.
    referent_slots : int64 array, shape (c,)
        Where the referent of a reference object lies, negated if it is not followed; 0: none.
    primitive_class : int64 array, shape (12,)
        Type code -> class index of its arrays.
    class_class : int
        Class index of java.lang.Class.
    constants : int64 array
        See `heapscope.parser.layout.kernel_constants`.
    """

    table: NDArray[np.uint64]
    slot_starts: NDArray[np.int64]
    slots: NDArray[np.int64]
    referent_slots: NDArray[np.int64]
    primitive_class: NDArray[np.int64]
    class_class: int
    constants: NDArray[np.int64]


def class_tables_of(
    scan: HeapScan,
    classes: list[JavaClass],
    layout: Layout,
    unit_bytes: int,
    referents: Mapping[int, tuple[int, bool]],
) -> ClassTables:
    """What `fill` and `fill_references` of `heapscope.parser.segments` need to know.

    Parameters
    ----------
    scan : HeapScan
    classes : list of JavaClass
        As `class_list` orders them: the class index is the place in it.
    layout : Layout
        What sizes follow from.
    unit_bytes : int
        What the column of sizes counts in.
    referents : mapping
        Class index of reference objects -> (identifier of the class that declares ``referent``,
        whether it is followed).
    """
    width = scan.header.identifier_bytes
    head = instance_head_bytes(width)
    fields = ReferenceFields(scan.classes, width)
    slots: list[int] = []
    counts: list[int] = []
    referent_slots = np.zeros(len(classes), np.int64)
    for i, java_class in enumerate(classes):
        before = len(slots)
        declaring, is_followed = referents.get(i, (-1, False))
        for offset, name, declared_by in fields.of(java_class.class_id):
            if declared_by == declaring and name == "referent":
                referent_slots[i] = head + offset if is_followed else -(head + offset)
            else:
                slots.append(head + offset)
        counts.append(len(slots) - before)
    sizes = scan.instance_bytes if layout is scan.layout else instance_bytes(layout, scan.classes)
    bootstrap = {c.name: i for i, c in reversed(list(enumerate(classes))) if c.loader_id == 0}
    primitive_class = np.zeros(TYPE_CODES, np.int64)
    for code in np.nonzero(scan.primitive_counts)[0].tolist():
        primitive_class[code] = bootstrap[f"{BasicType(code).java_name}[]"]
    return ClassTables(
        table=hash_table(
            [
                (c.class_id, i, sizes.get(c.class_id, 0) // unit_bytes)
                for i, c in enumerate(classes)
                if c.class_id
            ]
        ),
        slot_starts=np.array([0, *accumulate(counts)], np.int64),
        slots=np.array(slots, np.int64),
        referent_slots=referent_slots,
        primitive_class=primitive_class,
        class_class=bootstrap["java.lang.Class"],
        constants=kernel_constants(width, layout, unit_bytes),
    )
