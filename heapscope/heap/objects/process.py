"""What the process was, read from its heap: environment, system properties, threads.

Sources: OpenJDK ``java/lang/ProcessEnvironment.java`` (Unix), ``Thread.java``,
``java/util/Properties.java``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.heap.objects.java_collections import Shape, contents, static_reference
from heapscope.heap.objects.java_object import JavaObject, Value, object_or_none
from heapscope.parser.records import Frame
from heapscope.parser.tags import RecordTag, SubRecordTag

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap


@dataclass(frozen=True)
class JavaThread:
    """A thread of the process."""

    name: str
    object_id: int  # 0 where the thread has no object any more
    serial: int
    is_daemon: bool | None  # None where the heap does not tell
    priority: int | None
    frames: tuple[Frame, ...]  # the innermost first

    def __str__(self) -> str:
        return "\n".join([f'"{self.name}"', *(f"    at {frame}" for frame in self.frames)])


def static_object(heap: Heap, class_name: str, field: str) -> JavaObject | None:
    """The object in a static field, None where class, field or object are missing."""
    return object_or_none(heap, static_reference(heap, class_name, field))


def map_entries(java_map: JavaObject) -> Iterator[tuple[JavaObject, JavaObject | None]]:
    """Key and value objects of a map of the JDK; null keys are left out."""
    inside = contents(java_map)
    if inside is not None and inside.shape is Shape.MAP:
        for key_id, value_id in inside.items:
            key = object_or_none(java_map.heap, key_id)
            if key is not None:
                yield key, object_or_none(java_map.heap, value_id)


def read_environment(heap: Heap) -> dict[str, str]:
    """See `Heap.environment`."""
    variables = static_object(heap, "java.lang.ProcessEnvironment", "theEnvironment")
    if variables is None:
        return {}
    # Windows: theEnvironment is a ProcessEnvironment, itself a HashMap of strings.
    found = {
        name: value
        for key, val in map_entries(variables)
        if (name := _external_text(key)) is not None and (value := _external_text(val)) is not None
    }
    return dict(sorted(found.items()))


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


def read_system_properties(heap: Heap) -> dict[str, str]:
    """See `Heap.system_properties`."""
    properties = static_object(heap, "java.lang.System", "props")
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


def read_threads(heap: Heap) -> list[JavaThread]:
    """See `Heap.threads`."""
    started = _started_threads(heap)
    roots = heap.columns.roots
    threads = []
    for row in (roots.kinds == SubRecordTag.ROOT_THREAD_OBJECT).nonzero()[0].tolist():
        object_id, serial = int(roots.object_ids[row]), int(roots.thread_serials[row])
        thread = object_or_none(heap, object_id)
        name, is_daemon, priority = _describe_thread(thread)
        threads.append(
            JavaThread(
                name=name or started.get(serial, "<unnamed>"),
                object_id=object_id,
                serial=serial,
                is_daemon=is_daemon,
                priority=priority,
                frames=heap.stack_traces.frames(int(roots.trace_serials[row]), serial),
            )
        )
    return threads


def _describe_thread(thread: JavaObject | None) -> tuple[str, bool | None, int | None]:
    if thread is None:
        return "", None, None
    fields = thread.fields()
    name = object_or_none(thread.heap, fields.get("name"))
    text = None
    if name is not None:
        # Up to JDK 8u40 Thread.name was a char[].
        text = name.text()
        if text is None:
            text = name.elements().astype("<u2").tobytes().decode("utf-16-le", "replace")
    # Since JDK 19 what only platform threads have sits in a Thread.FieldHolder.
    holder = object_or_none(thread.heap, fields.get("holder"))
    facts: dict[str, Value] = {**fields, **(holder.fields() if holder is not None else {})}
    daemon, priority = facts.get("daemon"), facts.get("priority")
    return (
        text or "",
        bool(daemon) if daemon is not None else None,
        int(priority) if priority is not None else None,
    )


def _started_threads(heap: Heap) -> dict[int, str]:
    """Names by thread serial from START_THREAD records, which the old HPROF agent wrote."""
    width = heap.identifier_bytes
    unit = "Q" if width == 8 else "I"
    layout = struct.Struct(f">I{unit}I3{unit}")
    names = {}
    records = heap.records
    for body in records.bodies(RecordTag.START_THREAD, layout.size):
        serial, _, _, name_id, _, _ = layout.unpack_from(body)
        names[serial] = records.string(name_id) or ""
    return names
