"""Threads of the process, read from its heap.

Source: OpenJDK ``java/lang/Thread.java``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.heap.objects.java_object import JavaObject, Value, object_or_none
from heapscope.parser.records import Frame
from heapscope.parser.tags import RecordTag, SubRecordTag

if TYPE_CHECKING:
    import pandas as pd

    from heapscope.heap.graph.heap_graph import HeapGraph

UNNAMED = "<unnamed>"


@dataclass(frozen=True, repr=False)
class JavaThread:
    """A thread of the process."""

    name: str
    object_id: int  # 0 where the thread has no object any more
    serial: int
    is_daemon: bool | None  # None where the heap does not tell
    priority: int | None
    frames: tuple[Frame, ...]  # the innermost first

    def __repr__(self) -> str:
        return f"<thread {self.name!r}, {len(self.frames):,} frames>"

    def __str__(self) -> str:
        return "\n".join([f'"{self.name}"', *(f"    at {frame}" for frame in self.frames)])


class Threads(list[JavaThread]):
    """Threads, a list; also as a DataFrame."""

    def __repr__(self) -> str:
        return f"<{len(self):,} threads>"

    def __str__(self) -> str:
        return "\n\n".join(map(str, self))

    def to_frame(self) -> pd.DataFrame:
        """A row for each: ``name, object_id, serial, is_daemon, priority, frame_count, top_frame``."""
        import pandas as pd

        return pd.DataFrame(
            {
                "name": [each.name for each in self],
                "object_id": [each.object_id for each in self],
                "serial": [each.serial for each in self],
                "is_daemon": [each.is_daemon for each in self],
                "priority": [each.priority for each in self],
                "frame_count": [len(each.frames) for each in self],
                "top_frame": [str(each.frames[0]) if each.frames else "" for each in self],
            }
        )


def threads_of(graph: HeapGraph) -> tuple[JavaThread, ...]:
    """Threads in the dump's order, with their stacks."""
    return graph.kept("threads", lambda: tuple(_read_threads(graph)))


def _read_threads(graph: HeapGraph) -> list[JavaThread]:
    started = _started_threads(graph)
    roots = graph.columns.roots
    threads = []
    for row in (roots.kinds == SubRecordTag.ROOT_THREAD_OBJECT).nonzero()[0].tolist():
        object_id, serial = int(roots.object_ids[row]), int(roots.thread_serials[row])
        thread = object_or_none(graph, object_id)
        name, is_daemon, priority = _facts_of_thread(thread)
        threads.append(
            JavaThread(
                name=name or started.get(serial, UNNAMED),
                object_id=object_id,
                serial=serial,
                is_daemon=is_daemon,
                priority=priority,
                frames=graph.stack_traces.frames(int(roots.trace_serials[row]), serial),
            )
        )
    return threads


def thread_of(thread: JavaObject) -> JavaThread:
    """A thread of which the dump has the object only: no stack, no serial."""
    name, is_daemon, priority = _facts_of_thread(thread)
    return JavaThread(name or UNNAMED, thread.object_id, 0, is_daemon, priority, ())


def _facts_of_thread(thread: JavaObject | None) -> tuple[str, bool | None, int | None]:
    if thread is None:
        return "", None, None
    fields = thread.fields()
    name = object_or_none(thread.graph, fields.get("name"))
    text = None
    if name is not None:
        # Up to JDK 8u40 Thread.name was a char[].
        text = name.text()
        if text is None:
            text = name.elements().astype("<u2").tobytes().decode("utf-16-le", "replace")
    # Since JDK 19 what only platform threads have sits in a Thread.FieldHolder.
    holder = object_or_none(thread.graph, fields.get("holder"))
    facts: dict[str, Value] = {**fields, **(holder.fields() if holder is not None else {})}
    daemon, priority = facts.get("daemon"), facts.get("priority")
    return (
        text or "",
        bool(daemon) if daemon is not None else None,
        int(priority) if priority is not None else None,
    )


def _started_threads(graph: HeapGraph) -> dict[int, str]:
    """Names by thread serial from START_THREAD records, which the old HPROF agent wrote."""
    width = graph.identifier_bytes
    unit = "Q" if width == 8 else "I"
    layout = struct.Struct(f">I{unit}I3{unit}")
    names = {}
    records = graph.records
    for body in records.bodies(RecordTag.START_THREAD, layout.size):
        serial, _, _, name_id, _, _ = layout.unpack_from(body)
        names[serial] = records.string(name_id) or ""
    return names
