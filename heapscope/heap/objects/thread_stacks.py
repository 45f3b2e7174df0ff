"""Threads with what they retain and what lies on their stacks; virtual threads with one stack together.

Source: OpenJDK ``java/lang/VirtualThread.java``.  Dumps of JDK 19 to 21 have virtual threads as objects
without stacks; later ones have stacks of all that are not finished.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.references import NO_OBJECT
from heapscope.heap.objects.fields import class_chain
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.objects.secret_texts import masked_text
from heapscope.heap.objects.threads import JavaThread, thread_of, threads_of
from heapscope.parser.tags import SubRecordTag
from heapscope.secrets import mask_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.parser.records import Frame

_VIRTUAL = "java.lang.BaseVirtualThread"
_ON_FRAMES = (SubRecordTag.ROOT_JAVA_FRAME, SubRecordTag.ROOT_JNI_LOCAL)
_NAMES = 10
_TEXT_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class StackObject:
    """An object that a local variable, or native code, refers to from a frame of a stack.

    Attributes
    ----------
    frame_number : int
        0 is the innermost frame; -1 where the dump does not tell which.
    text : str
        Of a string its beginning, of a boxed value what it stands for, of an array its length as ``[10]``;
        else empty.
    retained_bytes : int
        0 for what is retained by nothing.
    """

    frame_number: int
    object_id: int
    class_name: str
    text: str
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """A thread, or virtual threads whose stacks are equal.

    Attributes
    ----------
    names : tuple of str
        The first ten; what retains most first.
    thread_count : int
    is_virtual : bool
    is_daemon, priority : bool, int or None
        None where the heap does not tell; of virtual threads always.
    object_id, serial : int
        Of the thread that retains most.
    frames : tuple of Frame
        The innermost first; empty where the dump has no stack.
    object_count : int
        Objects on the stack of the thread that retains most.
    retained_bytes : int
        What all of these threads retain, each with what only its stack holds.
    largest_bytes : int
        The same of the one that retains most.
    """

    names: tuple[str, ...]
    thread_count: int
    is_virtual: bool
    is_daemon: bool | None
    priority: int | None
    object_id: int
    serial: int
    frames: tuple[Frame, ...]
    object_count: int
    retained_bytes: int
    largest_bytes: int


def is_virtual_class(graph: HeapGraph) -> NDArray[np.bool_]:
    """Which classes are those of virtual threads, bool, shape (c,)."""
    return graph.kept(
        "virtual thread classes",
        lambda: np.array(
            [any(c.name == _VIRTUAL for c in class_chain(graph, k)) for k in graph.classes], bool
        ),
    )


def find_thread_stacks(graph: HeapGraph) -> tuple[ThreadStack, ...]:
    """All threads, what retains most first; virtual threads with equal stacks are one row."""
    return graph.kept("thread stacks", lambda: _find(graph))


def _find(graph: HeapGraph) -> tuple[ThreadStack, ...]:
    is_virtual = is_virtual_class(graph)
    threads = list(threads_of(graph))
    known = {thread.object_id for thread in threads}
    # Virtual threads that no root names: those of JDK 19 to 21.
    rows = graph.instances_of(is_virtual)
    unlisted = [
        JavaObject(graph, row) for row in rows[graph.immediate_dominators[rows] != NO_OBJECT].tolist()
    ]
    threads += [thread_of(each) for each in unlisted if each.object_id not in known]
    groups: dict[object, list[tuple[int, JavaThread]]] = defaultdict(list)
    virtual: set[object] = set()
    for place, thread in enumerate(threads):
        index = graph.index_of(thread.object_id) if thread.object_id else -1
        retained = graph.dominators.retained_bytes_of(index) if index >= 0 else 0
        key: object = place
        if index >= 0 and is_virtual[int(graph.columns.class_index[index])]:
            key = thread.frames
            virtual.add(key)
        groups[key].append((retained, thread))
    counts = _object_counts(graph)
    found = []
    for key, members in groups.items():
        members.sort(key=lambda each: -each[0])
        largest, thread = members[0]
        found.append(
            ThreadStack(
                names=tuple(each.name for _, each in members[:_NAMES]),
                thread_count=len(members),
                is_virtual=key in virtual,
                is_daemon=None if key in virtual else thread.is_daemon,
                priority=None if key in virtual else thread.priority,
                object_id=thread.object_id,
                serial=thread.serial,
                frames=thread.frames,
                object_count=counts.get(thread.serial, 0),
                retained_bytes=sum(retained for retained, _ in members),
                largest_bytes=largest,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.retained_bytes, each.names)))


def _object_counts(graph: HeapGraph) -> dict[int, int]:
    roots = graph.columns.roots
    serials = roots.thread_serials[np.isin(roots.kinds, _ON_FRAMES)]
    values, counts = np.unique(serials, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def stack_objects(
    graph: HeapGraph, serial: int, most: int | None = None, *, show_secrets: bool = False
) -> tuple[StackObject, ...]:
    """Objects on the stack of a thread, by frame, of one frame those that retain most first.

    Parameters
    ----------
    serial : int
        Of the thread.
    most : int, optional
        No more than so many of them; those that retain most.
    show_secrets : bool
        Whether texts that may be secret are given as they are.
    """
    roots = graph.columns.roots
    rows = np.nonzero(np.isin(roots.kinds, _ON_FRAMES) & (roots.thread_serials == serial))[0]
    indices = graph.roots.object_index[rows]
    retained = np.zeros(rows.size, np.int64)
    is_there = indices >= 0
    held = indices[is_there]
    units = graph.retained_units[held].astype(np.int64)
    units[graph.immediate_dominators[held] == NO_OBJECT] = 0
    retained[is_there] = units * graph.columns.unit_bytes
    frames = roots.frame_numbers[rows].astype(np.int64)
    frames[frames >= 0xFFFF_FFFF] = -1
    found: dict[tuple[int, int], StackObject] = {}
    for place in np.argsort(-retained, kind="stable").tolist():
        key = int(frames[place]), int(indices[place])
        if key[1] < 0 or key in found:
            continue
        if most is not None and len(found) >= most:
            break
        one = JavaObject(graph, key[1])
        text = _text(one, show_secrets)
        found[key] = StackObject(key[0], one.object_id, title_of(one), text, int(retained[place]))
    return tuple(sorted(found.values(), key=lambda each: (each.frame_number, -each.retained_bytes)))


def _text(one: JavaObject, show_secrets: bool) -> str:
    """What an object stands for, in short; empty for most."""
    if one.class_name.endswith("[]"):
        return f"[{one.element_count:,}]"
    value = one.value(0)
    if isinstance(value, str):
        # Masked before it is cut and put in quotes: what is left of a secret then equals no secret.
        shown = value if show_secrets else masked_text(one.graph, one.object_id, value)
        if shown != value and shown == mask_whole(value):
            return shown
        return repr(shown[:_TEXT_CHARACTERS]) + ("..." if len(shown) > _TEXT_CHARACTERS else "")
    return str(value) if isinstance(value, (bool, int, float)) else ""
