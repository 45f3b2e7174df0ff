"""How one object holds another: names of fields, elements, statics, stack slots.

The graph knows that there is a reference; which field it is stands in the source's record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.fields import class_fields, numbers_at
from heapscope.heap.objects.java_object import JavaObject
from heapscope.parser.tags import ROOT_KIND_NAMES, BasicType, SubRecordTag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.records import JavaClass

CLASS = "<class>"
ELEMENT = "[]"
UNKNOWN = "<unknown>"


def simple_name(class_name: str) -> str:
    """``FileSystem$Cache`` of ``org.apache.hadoop.fs.FileSystem$Cache``."""
    plain, slash, number = class_name.partition("/")
    return plain.rpartition(".")[2] + slash + number


def are_class_objects(graph: HeapGraph, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of many objects are the class object of a class."""
    own = np.sort(graph.class_objects[graph.class_objects >= 0])
    if not own.size:
        return np.zeros(indices.size, bool)
    found: NDArray[np.bool_] = own[np.minimum(np.searchsorted(own, indices), own.size - 1)] == indices
    return found


def names(graph: HeapGraph, source: int, target: int) -> list[str]:
    """All names by which an object refers to another one.

    ``map`` for a field, ``[17]`` for an element, ``static CACHE``, ``<class>``, ``<super>``,
    ``<loader>``, ``<signers>``, ``<protection domain>``, ``<constant pool>``, ``<Java frame>`` and the
    like for what lies on a thread's stack.
    """
    holder = JavaObject(graph, source)
    wanted = JavaObject(graph, target).object_id
    found: list[str] = []
    represented = holder.represented_class
    if represented is not None:
        found += dict.fromkeys(name for object_id, name in _recorded(represented) if object_id == wanted)
    elif holder.record_tag == SubRecordTag.OBJECT_ARRAY_DUMP:
        found += [f"[{i}]" for i in np.nonzero(holder.element_ids() == np.uint64(wanted))[0].tolist()]
    else:
        found += [
            place.name
            for place, value in holder.field_values().items()
            if place.type == BasicType.OBJECT and value == wanted
        ]
    roots = graph.roots
    hung = (roots.hangs_on == source) & (roots.object_index == target)
    found += sorted({f"<{ROOT_KIND_NAMES[kind]}>" for kind in roots.kinds[hung].tolist()})
    class_object = int(graph.class_objects[int(graph.columns.class_index[source])])
    if class_object == target:
        found.append(CLASS)
    return found or [UNKNOWN]


def labels(
    graph: HeapGraph, sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """The first of `names` for each of many pairs, with the holder's class: ``HashMap$Node.value``.

    Elements are not told apart (``Object[] []`` reads ``Object[]``), statics read
    ``FileSystem.CACHE (static)``.

    Returns
    -------
    codes : int64 array, shape (k,)
        Row in the second.
    texts : list of str
    """
    columns = graph.columns
    texts: dict[str, int] = {}
    codes = np.full(sources.size, -1, np.int64)
    class_of = columns.class_index[sources].astype(np.int64)
    ids = columns.addresses.ids_of(targets)
    is_class_object = are_class_objects(graph, sources)
    # Class objects differ from each other: one by one, each pair once.
    for row in np.nonzero(is_class_object)[0].tolist():
        source = int(sources[row])
        text = _static_labels(graph, source).get(int(ids[row]))
        if text is None:
            text = _static_label(graph, source, int(targets[row]))
        codes[row] = texts.setdefault(text, len(texts))
    rest = np.nonzero(~is_class_object)[0]
    is_thread = np.isin(sources, np.unique(graph.roots.hangs_on))  # a stack comes before the class
    order = rest[np.argsort(class_of[rest], kind="stable")]
    starts = np.nonzero(np.diff(class_of[order], prepend=-1))[0]
    for group in np.split(order, starts[1:]) if order.size else []:
        index = int(class_of[group[0]])
        name = simple_name(graph.classes[index].name)
        if graph.classes[index].is_array:
            codes[group] = texts.setdefault(name, len(texts))
            continue
        offsets = columns.offsets_of(sources[group]) + 1 + 2 * graph.identifier_bytes + 8
        left = np.arange(group.size)
        for place in class_fields(graph, index).places:
            if place.type != BasicType.OBJECT or not left.size:
                continue
            held = numbers_at(graph.buffer, offsets[left] + place.offset, place.byte_count)
            is_it = held == ids[group[left]]
            if is_it.any():
                codes[group[left[is_it]]] = texts.setdefault(f"{name}.{place.name}", len(texts))
                left = left[~is_it]
        of_class = targets[group[left]] == graph.class_objects[index]
        if of_class.any():
            of_class &= ~is_thread[group[left]]
            codes[group[left[of_class]]] = texts.setdefault(f"{name} {CLASS}", len(texts))
            left = left[~of_class]
        for row in group[left].tolist():  # stacks of threads: few
            held_by = names(graph, int(sources[row]), int(targets[row]))[0]
            codes[row] = texts.setdefault(f"{name} {held_by}", len(texts))
    return codes, list(texts)


def _static_labels(graph: HeapGraph, source: int) -> dict[int, str]:
    """What a class object refers to by its record in the dump, with the label of each: identifier to text.

    Made once for a class: its record has hundreds of references in some programs.
    """
    of_heap: dict[int, dict[int, str]] = graph.kept("labels of class objects", dict)
    found = of_heap.get(source)
    if found is None:
        found = of_heap[source] = {}
        represented = JavaObject(graph, source).represented_class
        if represented is not None:
            name = simple_name(represented.name)
            for object_id, of_record in _recorded(represented):
                found.setdefault(object_id, _static_text(name, of_record))
    return found


def _recorded(represented: JavaClass) -> Iterator[tuple[int, str]]:
    """Identifier and name of each reference in a class's record; null ones too."""
    yield represented.super_id, "<super>"
    yield represented.loader_id, "<loader>"
    yield represented.signers_id, "<signers>"
    yield represented.protection_domain_id, "<protection domain>"
    for static in represented.statics:
        if static.type == BasicType.OBJECT:
            # HotSpot's own, <resolved_references>, are named as such.
            is_own = static.name.startswith("<")
            yield int(static.value), static.name if is_own else f"static {static.name}"
    for object_id in represented.constant_ids:
        yield object_id, "<constant pool>"


def _static_text(class_name: str, name: str) -> str:
    if name.startswith("static "):
        return f"{class_name}.{name[7:]} (static)"
    return f"{class_name} {name}"


def _static_label(graph: HeapGraph, source: int, target: int) -> str:
    represented = JavaObject(graph, source).represented_class
    name = simple_name(represented.name) if represented is not None else "Class"
    return _static_text(name, names(graph, source, target)[0])
