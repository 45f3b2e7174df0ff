"""An inspected object without its secrets, for whoever did not ask for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.inspector import Held, Inspection, Item
from heapscope.heap.objects.secret_texts import masked_text, secret_texts

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph

_FEW = 100  # referrers of an array that are looked at


def masked(graph: HeapGraph, found: Inspection) -> Inspection:
    """The same with texts that may be secret masked; the elements of a secret array are left out.

    Parameters
    ----------
    graph : HeapGraph
        The heap that the object is of.
    found : Inspection
    """
    text = found.text
    if text:
        is_array = found.class_name in ("byte[]", "char[]")
        text = (_array_text if is_array else _own_text)(graph, found.object_id, text)
    is_secret = text != found.text
    return replace(
        found,
        text=text,
        fields=tuple(replace(each, held=_held(graph, each.held, each.name)) for each in found.fields),
        statics=tuple(replace(each, held=_held(graph, each.held, each.name)) for each in found.statics),
        items=() if is_secret else tuple(_item(graph, each) for each in found.items),
    )


def _own_text(graph: HeapGraph, object_id: int, text: str) -> str:
    return masked_text(graph, object_id, text)


def _array_text(graph: HeapGraph, object_id: int, text: str) -> str:
    """A byte[] or char[] is as secret as a string that it belongs to."""
    row = graph.index_of(object_id)
    rows = np.append(graph.references.referrers_of(row)[:_FEW], row)
    shown = secret_texts(graph).mask(rows, [text] * rows.size)
    return next((each or "" for each in shown if each != text), text)


def _held(graph: HeapGraph, held: Held, name: str = "") -> Held:
    if not held.is_reference or not isinstance(held.value, str) or not held.value:
        return held
    return replace(held, value=masked_text(graph, held.object_id, held.value, name))


def _item(graph: HeapGraph, item: Item) -> Item:
    key = None if item.key is None else _held(graph, item.key)
    name = item.key.value if item.key is not None and isinstance(item.key.value, str) else ""
    return replace(item, key=key, held=_held(graph, item.held, name))
