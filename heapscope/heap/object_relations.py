"""What an object has to do with others: its fields' values, who refers to it, what holds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from heapscope.errors import ObjectNotFound
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.objects.field_paths import read_path
from heapscope.heap.objects.java_object import JavaObject, Reference
from heapscope.heap.objects.values import Decoder
from heapscope.heap.retention.edge_names import names
from heapscope.heap.retention.paths import Path, paths


def item_of(one: JavaObject, path: str | int) -> Any:
    """See `JavaObject.__getitem__`.

    Raises
    ------
    ObjectNotFound, IndexError
    """
    graph = one.graph
    if isinstance(path, int):
        return _element(one, path)
    column = read_path(graph, np.array([one.index], np.int64), path)
    if not column.types[0]:
        raise ObjectNotFound(path, f"{one!r}: the way breaks before its end", ())
    if column.has_references:
        return Decoder(graph).values(column.bits)[0]
    return column.primitives().tolist()[0]


def _element(one: JavaObject, place: int) -> Any:
    if not one.java_class.is_array:
        raise TypeError(f"{one.class_name} is no array; value() decodes collections")
    count = one.element_count
    if not -count <= place < count:
        raise IndexError(f"{one.class_name} of {count:,} elements has none at {place:,}")
    ids = one.element_ids()
    if not ids.size:
        values = one.elements()
        value = values[place].item() if values.size else None
        return chr(value) if one.class_name == "char[]" and value is not None else value
    return Decoder(one.graph).values(ids[place % count : place % count + 1])[0]


def retained(one: JavaObject) -> ObjectSet:
    """See `JavaObject.retained`."""
    return ObjectSet(one.graph, [one.index]).retained()


def references(one: JavaObject) -> list[Reference]:
    """See `JavaObject.references`."""
    graph = one.graph
    targets = dict.fromkeys(graph.references.outgoing(one.index).tolist())
    return [
        Reference(name, JavaObject(graph, target))
        for target in targets
        for name in names(graph, one.index, target)
    ]


def referrers(one: JavaObject, limit: int | None = None) -> list[Reference]:
    """See `JavaObject.referrers`."""
    return list(_referrers(one, limit))


def _referrers(one: JavaObject, limit: int | None) -> Iterator[Reference]:
    graph = one.graph
    for source in graph.references.referrers_of(one.index)[:limit].tolist():
        for name in names(graph, source, one.index):
            yield Reference(name, JavaObject(graph, source))


def paths_of(one: JavaObject, count: int) -> list[Path]:
    """See `JavaObject.paths_to_gc_roots`."""
    return paths(one.graph, one.index, count)


def dominator(one: JavaObject) -> JavaObject | None:
    """See `JavaObject.dominator`."""
    above = int(one.graph.immediate_dominators[one.index])
    return JavaObject(one.graph, above) if above < VIRTUAL_ROOT else None


def dominated(one: JavaObject) -> ObjectSet:
    """See `JavaObject.dominated`."""
    return ObjectSet(one.graph, one.graph.dominators.children_of(one.index))
