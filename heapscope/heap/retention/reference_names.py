"""The field behind every reference of the graph, in one pass.

`heapscope.heap.retention.edge_names` names single references; this one names them all, for tables.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.references import reference_classes
from heapscope.heap.objects.fields import class_fields
from heapscope.heap.retention import kernels
from heapscope.heap.retention.edge_names import CLASS, ELEMENT, UNKNOWN, names
from heapscope.parser.tags import BasicType, instance_head_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph


def name_references(graph: HeapGraph) -> tuple[NDArray[np.uint32], list[str]]:
    """Names of all references, in the order of ``graph.references.indices``.

    Returns
    -------
    codes : uint32 array, shape (e,)
        Row in the second.
    texts : list of str
        ``value`` for a field, ``[]`` for an element, ``static CACHE``, ``<class>`` and what else
        `heapscope.heap.retention.edge_names.names` has.
    """
    references, columns, classes = graph.references, graph.columns, graph.classes
    texts = {UNKNOWN: 0, CLASS: 1, ELEMENT: 2}
    head = instance_head_bytes(graph.identifier_bytes)
    kinds = reference_classes(classes)
    slots: list[int] = []
    slot_codes: list[int] = []
    counts: list[int] = []
    referent_slots = np.zeros(len(classes), np.int64)
    referent_codes = np.zeros(len(classes), np.uint32)
    for index in range(len(classes)):
        before = len(slots)
        kind, declaring_id = kinds.get(index, (None, 0))
        declaring = classes.with_id(declaring_id)
        for place in class_fields(graph, index).places:
            if place.type != BasicType.OBJECT:
                continue
            code = texts.setdefault(place.name, len(texts))
            is_referent = kind is not None and place.name == "referent"
            if is_referent and declaring is not None and place.declared_in == declaring.name:
                assert kind is not None
                if graph.options.follows(kind):
                    referent_slots[index], referent_codes[index] = head + place.offset, code
                continue
            slots.append(head + place.offset)
            slot_codes.append(code)
        counts.append(len(slots) - before)
    codes = np.zeros(references.indices.size, np.uint32)
    offsets = columns.offsets
    addresses = columns.addresses
    width = "u4" if offsets.dtype == np.uint32 else "i8"
    wide = "u2" if columns.class_index.dtype == np.uint16 else "i4"
    kernels.name_references[width, wide, references.width](
        graph.buffer, offsets, columns.class_index, references.indptr, references.class_targets,
        np.array([0, *accumulate(counts)], np.int64), np.array(slots, np.int64),
        np.array(slot_codes, np.uint32), referent_slots, referent_codes,
        addresses.address_grid, addresses.table, addresses.sorted_ids, graph.identifier_bytes, codes,
    )  # fmt: skip
    # What is left: class objects, and what lies on the stacks of threads.
    rest = np.nonzero(codes == 0)[0]
    sources = np.searchsorted(references.indptr, rest, side="right") - 1
    known: dict[tuple[int, int], int] = {}
    for at, source in zip(rest.tolist(), sources.tolist(), strict=True):
        target = int(references.indices[at])
        if (source, target) not in known:
            known[source, target] = texts.setdefault(names(graph, source, target)[0], len(texts))
        codes[at] = known[source, target]
    return codes, list(texts)
