"""Which strings of a heap are secrets: found once for each heap, and masked wherever they are shown.

A password in a heap is a plain string object: nothing in its text tells.  Who holds it tells:

- a field that is called after a secret (``password``, ``accessToken``);
- an entry of a map, whose key is a string that is called so (``"db.password"``);
- the environment and the system properties, by the rules of `heapscope.secrets.mask_value`.

What the first two hold is masked by identity, what the third holds wherever an equal text occurs; all
other texts go through `heapscope.secrets.scrub`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.environment import environment_of, system_properties_of
from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.heap.objects.values import read_strings
from heapscope.parser.tags import BasicType
from heapscope.secrets import is_telling, mask_text, mask_value, mask_whole, names_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

# Beside a field `key` one of these makes an entry of a map of it, whose key is no secret itself.
_ENTRY_VALUES = ("value", "val", "valueReference")
_COMMAND = "sun.java.command"


class SecretTexts:
    """The secrets of one heap; `secret_texts` makes it once.

    Attributes
    ----------
    rows : int64 array, ascending
        Strings and arrays that are secret, whatever they read.
    values : frozenset of str
        Texts that are secret wherever they occur.
    """

    def __init__(self, rows: NDArray[np.int64], values: frozenset[str]) -> None:
        self.rows = rows
        self.values = values

    def mask(self, rows: NDArray[np.int64], texts: Sequence[str | None], name: str = "") -> list[str | None]:
        """Texts as they may be shown.

        Parameters
        ----------
        rows : int64 array, shape (k,)
            Object index of each text; -1 where it has none.
        texts : sequence of str or None, length k
        name : str
            Of the field that holds them, if they are of one.
        """
        places = np.searchsorted(self.rows, rows)
        places[places == self.rows.size] = 0
        is_secret = self.rows[places] == rows if self.rows.size else np.zeros(rows.size, bool)
        values = self.values
        return [
            text if not text else mask_whole(text) if known or text in values else mask_text(text, name)
            for known, text in zip(is_secret.tolist(), texts, strict=True)
        ]


def secret_texts(graph: HeapGraph) -> SecretTexts:
    """The secrets of a heap."""
    return graph.kept("secret texts", lambda: _find(graph))


def _find(graph: HeapGraph) -> SecretTexts:
    values: set[str] = set()
    for held in (environment_of(graph), system_properties_of(graph)):
        for name, value in held.items():
            if mask_value(name, value) != value:
                # Of a command line each argument is a string of its own as well.
                words = value.split()[1:] if name == _COMMAND else []
                values.update(each for each in (value, *words) if is_telling(each))
    rows = np.concatenate([_held_by_fields(graph), _held_by_maps(graph)])
    return SecretTexts(np.unique(rows[rows >= 0]), frozenset(values))


def _held_by_fields(graph: HeapGraph) -> NDArray[np.int64]:
    """What fields that are called after a secret refer to."""
    names: dict[str, list[int]] = {}
    for index in range(len(graph.classes)):
        fields = class_fields(graph, index).by_name
        for place in fields.values():
            is_entry = place.name == "key" and any(each in fields for each in _ENTRY_VALUES)
            if place.type == BasicType.OBJECT and not is_entry and names_secret(place.name):
                names.setdefault(place.name, []).append(index)
    found = [np.empty(0, np.int64)]
    for name, classes in names.items():
        rows = _instances(graph, classes)
        found.append(graph.indices_of(read_field(graph, rows, name, is_optional=True).references()))
    statics = [
        int(static.value)
        for java_class in graph.classes
        for static in java_class.statics
        if static.type == BasicType.OBJECT and names_secret(static.name)
    ]
    found.append(graph.indices_of(np.array(statics, np.uint64)))
    return np.concatenate(found)


def _held_by_maps(graph: HeapGraph) -> NDArray[np.int64]:
    """Values of map entries whose key is called after a secret."""
    found = [np.empty(0, np.int64)]
    string = next((i for i, c in enumerate(graph.classes) if c.name == "java.lang.String"), -1)
    for value_name in _ENTRY_VALUES:
        classes = [
            index
            for index in range(len(graph.classes))
            if {"key", value_name} <= class_fields(graph, index).by_name.keys()
        ]
        rows = _instances(graph, classes)
        if not rows.size:
            continue
        keys = graph.indices_of(read_field(graph, rows, "key", is_optional=True).references())
        is_text = (keys >= 0) & (graph.columns.class_index[np.maximum(keys, 0)] == string)
        rows, keys = rows[is_text], keys[is_text]
        distinct, of_key = np.unique(keys, return_inverse=True)
        texts = read_strings(graph, distinct)
        tells = np.array([text is not None and names_secret(text) for text in texts], bool)
        secret = rows[tells[of_key]] if distinct.size else rows
        found.append(graph.indices_of(read_field(graph, secret, value_name, is_optional=True).references()))
    return np.concatenate(found)


def _instances(graph: HeapGraph, classes: Sequence[int]) -> NDArray[np.int64]:
    is_picked = np.zeros(len(graph.classes), bool)
    is_picked[list(classes)] = True
    return np.nonzero(is_picked[graph.columns.class_index])[0]
