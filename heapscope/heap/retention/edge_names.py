"""How one object holds another: names of fields, elements, statics, stack slots.

The graph knows that there is a reference; which field it is stands in the source's record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.java_object import JavaObject
from heapscope.parser.tags import ROOT_KIND_NAMES, BasicType, SubRecordTag

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.records import JavaClass

CLASS = "<class>"
ELEMENT = "[]"
UNKNOWN = "<unknown>"


def simple_name(class_name: str) -> str:
    """``FileSystem$Cache`` of ``org.apache.hadoop.fs.FileSystem$Cache``."""
    plain, slash, number = class_name.partition("/")
    return plain.rpartition(".")[2] + slash + number


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


def first_label(graph: HeapGraph, source: int, target: int, target_id: int) -> str:
    """The first of `names` with the holder's class: ``HashMap$Node.value``, ``FileSystem.CACHE (static)``."""
    found = _static_labels(graph, source).get(target_id)
    if found is not None:
        return found
    name = names(graph, source, target)[0]
    represented = JavaObject(graph, source).represented_class
    if represented is not None:
        return _static_text(simple_name(represented.name), name)
    class_name = simple_name(graph.classes[int(graph.columns.class_index[source])].name)
    return f"{class_name} {name}" if name.startswith("<") else f"{class_name}.{name}"


def _static_labels(graph: HeapGraph, source: int) -> dict[int, str]:
    """What a class object refers to by its record in the dump, with the label of each: identifier to text.

    Made once for a class: its record has hundreds of references in some programs.  Empty for other objects.
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
