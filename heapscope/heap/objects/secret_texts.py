"""Which strings of a heap are secrets: found once for each heap, and masked wherever they are shown.

A password in a heap is a plain string object: nothing in its text tells.  Who holds it tells:

- a field that is called after a secret (``password``, ``accessToken``);
- an entry of a map, whose key is a string that is called so (``"db.password"``);
- the environment and the system properties, by the rules of `heapscope.secrets.mask_value`.

What the first two hold is masked by identity, with what is in it where it is a list, an array, an Optional
and the like, and the array of a string with the string. What the third holds, and what is called a password
or a secret outright, is masked wherever an equal text occurs: passwords are copied. All other texts go
through `heapscope.secrets.scrub`.
"""

from __future__ import annotations

import re
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from heapscope.heap.objects.alike import alike_but_for_digits
from heapscope.heap.objects.environment import environment_of, system_properties_of
from heapscope.heap.objects.fields import class_fields, read_field
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.objects.values import have_words, read_strings
from heapscope.parser.tags import BasicType
from heapscope.secrets import (
    SECRET_WORDS,
    is_telling,
    is_told_by_digits,
    mask_text,
    mask_value,
    mask_whole,
    names_secret,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

# Beside a field `key` one of these makes an entry of a map of it, whose key is no secret itself.
_ENTRY_VALUES = ("value", "val", "valueReference")
# Fields of a key and of its value: of entries, of WeakHashMap's entries, of Map.of("key", value).
_PAIRS = (*(("key", value) for value in _ENTRY_VALUES), ("referent", "value"), ("k0", "v0"))
# Maps whose field `table` is one array in which each key stands before its value.
_FLAT_MAPS = ("java.util.IdentityHashMap", "java.util.ImmutableCollections$MapN")
# What stands for the texts in it, and the fields in which it has them.
_CARRIERS = frozenset(
    {
        "java.lang.String",
        "java.lang.StringBuffer",
        "java.lang.StringBuilder",
        "java.nio.HeapByteBuffer",
        "java.nio.HeapCharBuffer",
        "java.util.ArrayList",
        "java.util.Arrays$ArrayList",
        "java.util.Collections$SingletonList",
        "java.util.ImmutableCollections$List12",
        "java.util.ImmutableCollections$ListN",
        "java.util.Optional",
        "java.util.Vector",
        "java.util.concurrent.CopyOnWriteArrayList",
        "java.util.concurrent.atomic.AtomicReference",
    }
)
_CARRIED = ("a", "array", "e0", "e1", "element", "elementData", "elements", "hb", "value")
_DEPTH = 4  # AtomicReference -> ArrayList -> Object[] -> String -> byte[]
# Called so, a text is a secret wherever it occurs; `key` or `session` would hide half of a heap.
_OUTRIGHT = re.compile(r"pass(?:word|wd|phrase)|pwd|secret", re.IGNORECASE)
_LEAST_CHARACTERS = 6
# Hadoop's Configuration keeps under each property, db.password too, the files that set it.
_FILE_NAME = re.compile(r"[\w.\-/]+\.(?:conf|json|properties|xml|ya?ml)|programmatically")
_FILE_WORDS = (".conf", ".json", ".properties", ".xml", ".yaml", ".yml", "programmatically")
_FIELD_NAME = re.compile(r"[\w.\-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|key)s?", re.IGNORECASE)
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

    def are_secret(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which objects are secret, whatever they read."""
        if not self.rows.size:
            return np.zeros(rows.size, bool)
        places = np.minimum(np.searchsorted(self.rows, rows), self.rows.size - 1)
        found: NDArray[np.bool_] = self.rows[places] == rows
        return found

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
        is_secret, values = self.are_secret(rows), self.values
        return [
            text if not text else mask_whole(text) if known or text in values else mask_text(text, name)
            for known, text in zip(is_secret.tolist(), texts, strict=True)
        ]


def secret_texts(graph: HeapGraph) -> SecretTexts:
    """The secrets of a heap, found once, however many threads ask."""
    with graph.kept("lock of secret texts", RLock):
        return graph.kept("secret texts", lambda: _find(graph))


def masked_text(graph: HeapGraph, object_id: int, text: str, name: str = "") -> str:
    """The text of one object as it may be shown.

    Parameters
    ----------
    object_id : int
        Identifier of the object; 0 where the text is of none.
    name : str
        Of the field or key that holds it.
    """
    if not text:
        return text
    row = graph.index_of(object_id) if object_id else -1
    return secret_texts(graph).mask(np.array([row]), [text], name)[0] or ""


def is_secret(graph: HeapGraph, object_id: int) -> bool:
    """Whether an object is secret, whatever it reads."""
    return bool(secret_texts(graph).are_secret(np.array([graph.index_of(object_id)]))[0])


def _find(graph: HeapGraph) -> SecretTexts:
    values: set[str] = set()
    for held in (environment_of(graph), system_properties_of(graph)):
        for name, value in held.items():
            if mask_value(name, value) != value:
                # Of a command line each argument is a string of its own as well.
                words = value.split()[1:] if name == _COMMAND else []
                values.update(each for each in (value, *words) if is_telling(each))
    fields, maps = _held_by_fields(graph), _held_by_maps(graph)
    outright = _with_contents(graph, np.concatenate([fields.outright, maps.outright]))
    rows = _with_contents(graph, np.concatenate([fields.others, maps.others]))
    texts = read_strings(graph, _of_class(graph, outright, "java.lang.String"))
    texts += [str(JavaObject(graph, row).value(0)) for row in _of_class(graph, outright, "char[]").tolist()]
    values.update(each for each in texts if each is not None and _is_secret_everywhere(each))
    return SecretTexts(np.nonzero(_marked(graph, np.concatenate([rows, outright])))[0], frozenset(values))


class _Held(NamedTuple):
    """Object indices of what is held under a name that tells of a secret: outright, or otherwise."""

    outright: NDArray[np.int64]
    others: NDArray[np.int64]


def _is_secret_everywhere(text: str) -> bool:
    """Whether a password is one to mask wherever it occurs; "password" itself is the name of many fields."""
    return len(text) >= _LEAST_CHARACTERS and is_telling(text) and not _FIELD_NAME.fullmatch(text)


def _with_contents(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Objects, and the texts in those that stand for texts; ascending, each once."""
    is_found = _marked(graph, rows)
    new = np.nonzero(is_found)[0]
    names = [each.name for each in graph.classes]
    is_carrier = np.array([name in _CARRIERS for name in names], bool)
    is_array = np.array([name.endswith("[]") for name in names], bool)
    for _ in range(_DEPTH):
        of_class = graph.columns.class_index[new]
        carriers, arrays = new[is_carrier[of_class]], new[is_array[of_class]]
        ids = [read_field(graph, carriers, name, is_optional=True).references() for name in _CARRIED]
        ids += [JavaObject(graph, row).element_ids() for row in arrays.tolist()]
        if not ids:
            break
        is_new = _marked(graph, graph.indices_of(np.concatenate(ids)))
        is_new[is_found] = False
        new = np.nonzero(is_new)[0]
        strings = _of_class(graph, new, "java.lang.String")
        strings = strings[have_words(graph, strings, _FILE_WORDS)]
        is_file = [_FILE_NAME.fullmatch(text or "") is not None for text in read_strings(graph, strings)]
        is_new[strings[np.array(is_file, bool)]] = False
        new = np.nonzero(is_new)[0]
        if not new.size:
            break
        is_found |= is_new
    return np.nonzero(is_found)[0]


def _marked(graph: HeapGraph, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """A mark for each object of the heap, set where it is among some; cheaper than sorting millions."""
    marks = np.zeros(graph.columns.class_index.size, bool)
    marks[rows[rows >= 0]] = True
    return marks


def _of_class(graph: HeapGraph, rows: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    is_named = np.array([each.name == name for each in graph.classes], bool)
    return rows[is_named[graph.columns.class_index[rows]]] if rows.size else rows


def _held_by_fields(graph: HeapGraph) -> _Held:
    """What fields that are called after a secret refer to."""
    names: dict[str, list[int]] = {}
    for index in range(len(graph.classes)):
        fields = class_fields(graph, index).by_name
        for place in fields.values():
            is_entry = place.name == "key" and any(each in fields for each in _ENTRY_VALUES)
            if place.type == BasicType.OBJECT and not is_entry and names_secret(place.name):
                names.setdefault(place.name, []).append(index)
    ids: dict[bool, list[NDArray[np.uint64]]] = {True: [], False: []}
    for name, classes in names.items():
        rows = _instances(graph, classes)
        column = read_field(graph, rows, name, is_optional=True)
        ids[_OUTRIGHT.search(name) is not None].append(column.references())
    for java_class in graph.classes:
        for static in java_class.statics:
            if static.type == BasicType.OBJECT and names_secret(static.name):
                value = np.array([int(static.value)], np.uint64)
                ids[_OUTRIGHT.search(static.name) is not None].append(value)
    outright, others = (
        graph.indices_of(np.concatenate([np.empty(0, np.uint64), *ids[each]])) for each in (True, False)
    )
    return _Held(outright, others)


def _held_by_maps(graph: HeapGraph) -> _Held:
    """Values of map entries whose key is called after a secret."""
    pairs = [_pairs_of_entries(graph, key, value) for key, value in _PAIRS]
    pairs += [_pairs_of_tables(graph)]
    keys = graph.indices_of(np.concatenate([first for first, _ in pairs]))
    values = graph.indices_of(np.concatenate([second for _, second in pairs]))
    string = next((i for i, c in enumerate(graph.classes) if c.name == "java.lang.String"), -1)
    is_text = (keys >= 0) & (values >= 0)
    is_text[is_text] = graph.columns.class_index[keys[is_text]] == string
    keys, values = keys[is_text], values[is_text]
    distinct = np.nonzero(_marked(graph, keys))[0]
    # Of millions of keys a few are looked at one by one.
    distinct = distinct[have_words(graph, distinct, SECRET_WORDS)]
    tells, outright = _are_telling(graph, distinct)
    return _Held(
        values[_marked(graph, distinct[outright])[keys]],
        values[_marked(graph, distinct[tells & ~outright])[keys]],
    )


def _are_telling(graph: HeapGraph, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which strings are called after a secret, and which of them after one that is masked wherever it occurs.

    One text stands for all that differ in digits alone: maps have millions of numbered keys.
    """
    alike = alike_but_for_digits(graph, rows)
    shown, which = np.unique(alike, return_inverse=True)
    texts = [text or "" for text in read_strings(graph, rows[shown])]
    tells = np.array([names_secret(text) for text in texts], bool)[which]
    outright = np.array([_OUTRIGHT.search(text) is not None for text in texts], bool)[which]
    needs_digits = np.array([is_told_by_digits(text) for text in texts], bool)[which]
    each = np.nonzero(needs_digits)[0]
    tells[each] = [names_secret(text or "") for text in read_strings(graph, rows[each])]
    return tells, outright & tells


def _pairs_of_entries(
    graph: HeapGraph, key_name: str, value_name: str
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Identifiers of keys and values of all objects that have both fields."""
    classes = [
        index
        for index in range(len(graph.classes))
        if {key_name, value_name} <= class_fields(graph, index).by_name.keys()
    ]
    rows = _instances(graph, classes)
    keys, values = (
        read_field(graph, rows, name, is_optional=True).references() for name in (key_name, value_name)
    )
    return keys, values


def _pairs_of_tables(graph: HeapGraph) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The same of maps that keep keys and values in turn in one array."""
    classes = [index for index, each in enumerate(graph.classes) if each.name in _FLAT_MAPS]
    maps = _instances(graph, classes)
    tables = graph.indices_of(read_field(graph, maps, "table", is_optional=True).references())
    none = np.empty(0, np.uint64)
    found = [JavaObject(graph, row).element_ids() for row in tables[tables >= 0].tolist()]
    even = [each[: each.size // 2 * 2] for each in found]
    return np.concatenate([none, *(each[::2] for each in even)]), np.concatenate(
        [none, *(each[1::2] for each in even)]
    )


def _instances(graph: HeapGraph, classes: Sequence[int]) -> NDArray[np.int64]:
    is_picked = np.zeros(len(graph.classes), bool)
    is_picked[list(classes)] = True
    return graph.instances_of(is_picked)
