"""Who keeps the heap alive: the part of an incident that needs the reference graph of a dump."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.leaks.resident import resident_memory
from heapscope.errors import ObjectNotFound
from heapscope.heap.objects.secret_texts import masked_text
from heapscope.heap.retention.cut_arrays import find_cut_arrays
from heapscope.heap.retention.off_heap import find_off_heap
from heapscope.heap.retention.paths import merged_paths
from heapscope.heap.retention.suspects import describe_suspect, find_suspects
from heapscope.heap.retention.waste import (
    duplicate_classes,
    duplicate_strings,
    thread_locals,
    wasteful_collections,
)
from heapscope.reporter.off_heap import off_heap_lines
from heapscope.reporter.text import printable
from heapscope.secrets import scrub

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap
    from heapscope.table import Table

_ROWS = 10
_WASTE_ROWS = 5
_JNI_GLOBAL = "JNI global"
_BRANCHES = 4


@dataclass(frozen=True, slots=True)
class Strength:
    """Objects by how they are reached: ``strong``, ``soft``, ``weak`` or ``unreachable``."""

    category: str
    object_count: int
    shallow_bytes: int


@dataclass(frozen=True, slots=True)
class RetainedClass:
    """What all instances of a watched class retain together, exactly."""

    class_name: str  # the pattern that was asked for
    instance_count: int
    retained_object_count: int
    retained_bytes: int
    dominated_bytes: int  # the sum of what each retains alone, in the dominator tree
    without_jni_globals_bytes: int | None  # retained without JNI globals; None where there are none
    holders: tuple[str, ...]  # "50 x JNI global", "50 x FileSystem.CACHE (static) -> ..."


@dataclass(frozen=True, slots=True)
class Retainer:
    """An object, class, package or class loader with what it retains."""

    name: str
    address: str  # of an object, else empty
    instance_count: int
    shallow_bytes: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class Waste:
    """Memory that holds nothing new, or that a thread keeps for itself."""

    kind: (
        str  # "duplicate string", "empty collection", "sparse collection", "thread local", "duplicate class"
    )
    name: str  # the text, the class, the thread with the class of the value
    count: int
    wasted_bytes: int  # what a thread local retains; 0 for classes


@dataclass(frozen=True, slots=True)
class RetentionSection:
    """Who keeps the heap of one snapshot alive; text is printable."""

    snapshot: str
    reachability: tuple[Strength, ...]
    reachable_bytes: int
    suspects: tuple[tuple[str, ...], ...]  # each as lines, the first says what and how much
    watched_classes: tuple[RetainedClass, ...]
    largest_objects: tuple[Retainer, ...]
    by_class: tuple[Retainer, ...]
    by_package: tuple[Retainer, ...]
    by_loader: tuple[Retainer, ...]
    waste: tuple[Waste, ...]
    off_heap: tuple[str, ...]  # memory outside of the heap, a line each


def describe_retention(
    heap: Heap, name: str, patterns: Sequence[str], *, show_secrets: bool = False
) -> RetentionSection:
    """Compute the section.

    Parameters
    ----------
    heap : Heap
        Open.
    name : str
        Of the snapshot.
    patterns : sequence of str
        The watched classes.
    show_secrets : bool
        Whether texts are shown as they are.
    """
    suspects = find_suspects(heap.graph)
    outside = find_off_heap(heap.graph)
    consumers = heap.consumers
    watched = [_watched(heap, pattern) for pattern in patterns]
    largest = heap.dominators().top(_ROWS)
    return RetentionSection(
        snapshot=printable(name),
        reachability=tuple(Strength(**row) for row in suspects.reachability.rows()),
        reachable_bytes=suspects.reachable_bytes,
        suspects=tuple(tuple(map(printable, describe_suspect(suspect))) for suspect in suspects),
        watched_classes=tuple(one for one in watched if one is not None),
        largest_objects=tuple(
            Retainer(
                printable(row["class_name"]),
                f"0x{row['object_id']:x}",
                1,
                row["shallow_bytes"],
                row["retained_bytes"],
            )
            for row in largest.rows()
        ),
        by_class=_retainers(consumers.by_class),
        by_package=_retainers(consumers.by_package),
        by_loader=_retainers(consumers.by_loader),
        waste=_waste(heap, show_secrets),
        off_heap=tuple(off_heap_lines(outside, resident_memory(snapshot_of(heap), outside))),
    )


def _waste(heap: Heap, show_secrets: bool) -> tuple[Waste, ...]:
    found = []
    cut = find_cut_arrays(heap.graph)
    kind = "duplicate string" if cut is None else f"string alike in {cut.kept_bytes:,} bytes, then cut"
    if cut is None or cut.kept_bytes:
        for row in duplicate_strings(heap.graph, _WASTE_ROWS).rows():
            text = row["text"] if show_secrets else masked_text(heap.graph, 0, row["text"])
            found.append(Waste(kind, printable(text), row["string_count"], row["wasted_bytes"]))
    for row in wasteful_collections(heap.graph, _WASTE_ROWS).rows():
        kind = f"{row['kind']} collection"
        found.append(Waste(kind, printable(row["class_name"]), row["collection_count"], row["wasted_bytes"]))
    for row in thread_locals(heap.graph, _WASTE_ROWS).rows():
        thread = row["thread_name"] if show_secrets else scrub(row["thread_name"])
        name = f"{thread}: {row['value_class']}"
        found.append(Waste("thread local", printable(name), 1, row["retained_bytes"]))
    for row in duplicate_classes(heap.graph).head(_WASTE_ROWS).rows():
        found.append(Waste("duplicate class", printable(row["class_name"]), row["loader_count"], 0))
    return tuple(found)


def _watched(heap: Heap, pattern: str) -> RetainedClass | None:
    try:
        members = heap.objects(pattern)
    except ObjectNotFound:
        return None
    if not members:
        return None
    kept = members.retained()
    return RetainedClass(
        printable(pattern),
        len(members),
        len(kept),
        members.retained_bytes(),
        members.dominated_bytes,
        members.retained_bytes([_JNI_GLOBAL]) if members.root_record_count(_JNI_GLOBAL) else None,
        tuple(map(printable, merged_paths(heap.graph, members.indices).lines(_BRANCHES))),
    )


def _retainers(table: Table) -> tuple[Retainer, ...]:
    return tuple(
        Retainer(
            printable(row["name"]), "", row["instance_count"], row["shallow_bytes"], row["retained_bytes"]
        )
        for row in table.head(_ROWS).rows()
    )
