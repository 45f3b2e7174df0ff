"""Tables of the process behind a heap: threads, stacks, environment, the snapshot itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.objects.environment import environment_of, system_properties_of
from heapscope.heap.objects.threads import threads_of
from heapscope.parser.tags import ROOT_KIND_NAMES, SubRecordTag
from heapscope.query.catalogue import TABLES
from heapscope.query.columns import SqlTable, small_table
from heapscope.query.texts import storable
from heapscope.secrets import mask_text, mask_value

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.heap.graph.heap_graph import HeapGraph

    Rows = list[tuple[Any, ...]]

_ON_FRAMES = (SubRecordTag.ROOT_JAVA_FRAME, SubRecordTag.ROOT_JNI_LOCAL)


def process_tables(graph: HeapGraph, *, show_secrets: bool) -> dict[str, SqlTable]:
    """The tables ``threads``, ``frames``, ``locals``, ``environment``, ``properties`` and ``processes``."""

    def masked(name: str, value: str) -> str:
        return value if show_secrets else mask_value(name, value)

    def named(values: dict[str, str]) -> Rows:
        return [(storable(name), storable(masked(name, value))) for name, value in values.items()]

    def process() -> Rows:
        properties = system_properties_of(graph)
        known = [properties.get(name) for name in ("java.version", "java.vm.name", "user.name", "os.name")]
        command = properties.get("sun.java.command")
        pid = properties.get("sun.java.launcher.pid") or properties.get("pid")
        return [
            (
                int(pid) if pid is not None and pid.isascii() and pid.isdigit() else None,
                *(storable(each) for each in known),
                None if command is None else storable(masked("sun.java.command", command)),
                len(threads_of(graph)),
            )
        ]

    return {
        "processes": small_table(TABLES["processes"], process),
        "threads": small_table(TABLES["threads"], lambda: _threads(graph, show_secrets)),
        "frames": small_table(TABLES["frames"], lambda: _frames(graph)),
        "locals": small_table(TABLES["locals"], lambda: _locals(graph)),
        "environment": small_table(TABLES["environment"], lambda: named(environment_of(graph))),
        "properties": small_table(TABLES["properties"], lambda: named(system_properties_of(graph))),
    }


def snapshot_table(snapshot: Snapshot) -> SqlTable:
    """The table ``snapshots``, of one."""
    return small_table(
        TABLES["snapshots"],
        lambda: [
            (
                storable(str(snapshot.path)),
                snapshot.kind,
                snapshot.captured_at if snapshot.is_dated else None,
                str(snapshot.captured_at_source),
                snapshot.is_whole,
                snapshot.object_count,
                snapshot.shallow_bytes,
            )
        ],
    )


def histogram_table(snapshot: Snapshot) -> SqlTable:
    """The table ``classes`` of a class histogram: what it does not have is null."""
    return small_table(
        TABLES["classes"],
        lambda: [
            (row["class_name"], None, None, None, row["instance_count"], row["shallow_bytes"], None)
            for row in snapshot.histogram.rows()
        ],
    )


def _threads(graph: HeapGraph, show_secrets: bool) -> Rows:
    found: Rows = []
    for thread in threads_of(graph):
        index = graph.index_of(thread.object_id) if thread.object_id else -1
        is_held = index >= 0 and int(graph.immediate_dominators[index]) != NO_OBJECT
        retained = graph.dominators.retained_bytes_of(index) if is_held else 0
        name = thread.name if show_secrets else mask_text(thread.name)
        found.append(
            (
                thread.object_id or None, thread.serial, storable(name), thread.is_daemon,
                thread.priority, len(thread.frames), retained,
            )
        )  # fmt: skip
    return found


def _frames(graph: HeapGraph) -> Rows:
    return [
        (
            thread.object_id or None, thread.serial, number, frame.class_name, frame.method,
            frame.source_file or None, frame.line if frame.line > 0 else None,
        )
        for thread in threads_of(graph)
        for number, frame in enumerate(thread.frames)
    ]  # fmt: skip


def _locals(graph: HeapGraph) -> Rows:
    roots = graph.columns.roots
    threads = {thread.serial: thread.object_id for thread in threads_of(graph)}
    found: Rows = []
    for row in np.nonzero(np.isin(roots.kinds, _ON_FRAMES))[0].tolist():
        index = int(graph.roots.object_index[row])
        serial, number = int(roots.thread_serials[row]), int(roots.frame_numbers[row])
        found.append(
            (
                threads.get(serial) or None,
                serial,
                number if 0 <= number < 0x7FFF_FFFF else None,
                ROOT_KIND_NAMES[int(roots.kinds[row])],
                int(roots.object_ids[row]) or None,
                graph.classes[int(graph.columns.class_index[index])].name if index >= 0 else None,
            )
        )
    return found
