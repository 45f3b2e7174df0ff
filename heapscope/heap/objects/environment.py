"""Environment and system properties of the process, read from its heap.

Sources: OpenJDK ``java/lang/ProcessEnvironment.java`` (Unix), ``java/util/Properties.java``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from heapscope.errors import ObjectNotFound
from heapscope.heap.objects.java_collections import CollectionKind, contents, static_reference
from heapscope.heap.objects.java_object import JavaObject, object_or_none

if TYPE_CHECKING:
    from heapscope.heap.graph.heap_graph import HeapGraph

_MAX_ROLE = 40
_DIRECT_LIMIT = "sun.nio.MaxDirectMemorySize"


def static_object(graph: HeapGraph, class_name: str, field: str) -> JavaObject | None:
    """The object in a static field, None where class, field or object are missing."""
    return object_or_none(graph, static_reference(graph, class_name, field))


def map_entries(java_map: JavaObject) -> Iterator[tuple[JavaObject, JavaObject | None]]:
    """Key and value objects of a map of the JDK; null keys are left out."""
    inside = contents(java_map)
    if inside is not None and inside.kind is CollectionKind.MAP:
        for key_id, value_id in inside.items:
            key = object_or_none(java_map.graph, key_id)
            if key is not None:
                yield key, object_or_none(java_map.graph, value_id)


class NamedTexts(dict[str, str]):
    """Texts by name, of variables or properties; a name that is not there is refused with the nearest.

    Parameters
    ----------
    texts : mapping of str to str
    where : str
        What has them, for that refusal.
    """

    def __init__(self, texts: Mapping[str, str], where: str) -> None:
        super().__init__(texts)
        self._where = where

    def __missing__(self, name: str) -> str:
        raise ObjectNotFound(name, self._where, self)


def environment_of(graph: HeapGraph) -> dict[str, str]:
    """Environment variables; see `heapscope.heap.heap.Heap.environment`."""
    return graph.kept("environment", lambda: _read_environment(graph))


def _read_environment(graph: HeapGraph) -> dict[str, str]:
    variables = static_object(graph, "java.lang.ProcessEnvironment", "theEnvironment")
    if variables is None:
        return {}
    # Windows: theEnvironment is a ProcessEnvironment, itself a HashMap of strings.
    found = {
        name: value
        for key, val in map_entries(variables)
        if (name := _external_text(key)) is not None and (value := _external_text(val)) is not None
    }
    return dict(sorted(found.items()))


def tensorflow_task(environment: Mapping[str, str]) -> tuple[str | None, int | None]:
    """Role and task index of a TensorFlow process, as its variable ``TF_CONFIG`` says them."""
    try:
        task = json.loads(environment.get("TF_CONFIG", ""))["task"]
        role, index = task["type"], task.get("index")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, None
    if not isinstance(role, str) or not role.isalnum() or len(role) > _MAX_ROLE:
        return None, None
    return role, index if type(index) is int and 0 <= index < 1 << 31 else None


def _external_text(item: JavaObject | None) -> str | None:
    """Text of a String, or of an ExternalData (Variable, Value): ``str`` beside ``bytes``."""
    if item is None:
        return None
    text = item.text()
    if text is None and (string := item.follow("str")) is not None:
        text = string.text()
    if text is None and (raw := item.follow("bytes")) is not None:
        text = raw.elements().tobytes().decode("utf-8", "replace")
    return text


def system_properties_of(graph: HeapGraph) -> dict[str, str]:
    """System properties; see `heapscope.heap.heap.Heap.system_properties`."""
    return graph.kept("system properties", lambda: _read_system_properties(graph))


def _read_system_properties(graph: HeapGraph) -> dict[str, str]:
    properties = static_object(graph, "java.lang.System", "props")
    found: dict[str, str] = {}
    seen: set[int] = set()
    while properties is not None and properties.index not in seen:
        seen.add(properties.index)
        for key, value in map_entries(properties):
            name, text = key.text(), value.text() if value is not None else None
            if name is not None and text is not None:
                found.setdefault(name, text)
        properties = properties.follow("defaults")
    return dict(sorted(found.items()))


def stated_direct_limit(graph: HeapGraph) -> int | None:
    """``-XX:MaxDirectMemorySize`` in bytes; None where it was not given, or where the dump does not tell.

    The JVM passes the option on as a property that only the JDK's own copy of the properties keeps
    (``VM.saveProperties``); JDK 8 passes -1 where it was not given.
    """
    for name in ("jdk.internal.misc.VM", "sun.misc.VM"):
        saved = static_object(graph, name, "savedProps")
        for key, value in map_entries(saved) if saved is not None else ():
            text = value.text() if value is not None and key.text() == _DIRECT_LIMIT else None
            if text is not None and text.isascii() and text.isdigit():
                return int(text)
    return None
