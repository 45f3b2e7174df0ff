"""Leak suspects: what holds a large share of the heap, by the field that owns it.

The field is the one that a developer opens in the editor (`heapscope.heap.retention.owners`); class loaders,
class objects, threads and tables of collections are looked through.  Two forms, as in Eclipse MAT's report:
one object that retains much, with the point where things pile up in it; and instances of one class that
retain much together though none does alone, each being held by several others or a GC root itself.  The
second is how native code leaks: a file system that libhdfs keeps a JNI global reference to has no dominator
but the virtual root.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.index_sets import are_among, distinct
from heapscope.heap.graph.reachability import size_of
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.graph.roots import CLASS_VALUE
from heapscope.heap.objects.java_object import JavaObject, title_of
from heapscope.heap.retention.by_group import dominated_bytes
from heapscope.heap.retention.dominator_tree import HeavyChildren, reachable_units
from heapscope.heap.retention.holders import MergedPaths
from heapscope.heap.retention.off_heap import LEAST_OFF_HEAP_BYTES, MAPPED, off_heap_if_large
from heapscope.heap.retention.owner_paths import (
    FIELD,
    LOADER,
    OTHER,
    STACK,
    STATIC,
    THREAD_LOCAL,
    other_holders,
)
from heapscope.heap.retention.owners import Owned, find_owned, held_loaders, owned_members
from heapscope.heap.retention.paths import Path, merged_paths, path_along, shortest_path
from heapscope.parser.tags import ROOT_KIND_NAMES
from heapscope.plain import PlainDict
from heapscope.rich_repr import RichRepr

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph
    from heapscope.table import Table

# MAT's: a tenth of the heap is a suspect; things pile up where a child retains less than 70 % of its parent.
SHARE = 0.1
DROP = 0.7
_MAX_STEPS = 10_000  # down a list; below that it is the list that piles up
_AGAIN = 8  # so often a class on that way is no nesting but a chain: chosen
_SHOWN = 5
_NEARLY_ALL = 0.9  # of what piled up: one object that retains so much stands for a suspect
_MOST = 0.5
_MAX_PATH = 500  # steps of a path that is described object by object
_ARCHIVES = "the directories of open archives: the class path, mostly"
# Packages whose static fields are the JDK's own business, however large they are in a small heap.
_INTERNAL = (
    *(
        "jdk.",
        "sun.",
        "com.sun.",
        "java.lang.Module",
        "java.lang.invoke.",
        "java.lang.module.",
        "java.util.zip.",
    ),
    *("java.lang.System.", "java.util.jar.", "java.security.", "java.lang.CharacterData", "java.util.Locale"),
)


@dataclass(frozen=True, slots=True)
class Pile:
    """What an object immediately dominates, of one class."""

    class_name: str
    object_count: int
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class AccumulationPoint:
    """Where on the way down the dominator tree one heavy object becomes many."""

    object_id: int
    class_name: str
    shallow_bytes: int
    retained_bytes: int
    way: tuple[str, ...]  # classes from the suspect down to it
    piles: tuple[Pile, ...]  # what it dominates, by class, what retains most first


@dataclass(frozen=True, slots=True, repr=False)
class Suspect(PlainDict, RichRepr):
    """Something that retains a large share of the heap.

    Attributes
    ----------
    kind : str
        ``"object"``: one object; ``"group"``: instances that no single object retains.
    class_name : str
        Of the object, or of the members; of a class object ``"class a.B"``.
    object_ids : tuple of int
        Of the object, or of the first members of the group.
    instance_count : int
    retained_bytes : int
        Of an object by the dominator tree, of a group its exact retained set.
    dominated_bytes : int
        The sum of what the members retain one by one.
    share : float
        ``retained_bytes`` as a part of all that is reachable.
    root_kinds : dict
        Root records on the members, by kind.
    path : Path or None
        To the object, over the field.
    holders : MergedPaths or None
        Of the group's members.
    accumulation : AccumulationPoint or None
        For an object.
    owner : str
        The field that owns it: ``com.acme.SessionRegistry.sessions``; where no field does, what holds it.
    owner_kind : str
        ``"static"``, ``"field"``, ``"thread local"``, ``"class value"``, ``"class loader"``, ``"stack"`` or
        ``"other"``.
    collection_class : str
        Class of what the field refers to.
    content_class, content_count : str, int
        What piles up there; empty and 0 where that cannot be told.
    way : tuple of str
        Steps from the GC root to it, ``Class.field`` each.
    thread_names : tuple of str
        Threads whose thread locals or stacks lead to it.
    other_holders : tuple of str
        Of an object: who refers to it beside that field.
    loader_class, loader_count : str, int
        Class loaders that hang on it, where they are many; each keeps all classes that it loaded.
    ordinary : str
        Why it is no leak although it is large; empty where nothing says so.
    off_heap_bytes : int or None
        What these objects stand for outside of the Java heap, where that makes them a suspect.
    """

    kind: str
    class_name: str
    object_ids: tuple[int, ...]
    instance_count: int
    retained_bytes: int
    dominated_bytes: int
    share: float
    root_kinds: dict[str, int]
    path: Path | None
    holders: MergedPaths | None
    accumulation: AccumulationPoint | None
    owner: str
    owner_kind: str
    collection_class: str
    content_class: str
    content_count: int
    way: tuple[str, ...]
    thread_names: tuple[str, ...]
    other_holders: tuple[str, ...]
    ordinary: str
    off_heap_bytes: int | None = None
    loader_class: str = ""
    loader_count: int = 0

    def __repr__(self) -> str:
        return f"<suspect: {self.instance_count:,} {self.class_name}, {self.share:.0%} of the heap>"

    def __str__(self) -> str:
        return "\n".join(describe_suspect(self))


@dataclass(frozen=True, slots=True, repr=False)
class Suspects(PlainDict, RichRepr):
    """Leak suspects of a heap: what retains most first, what is ordinary last.

    Attributes
    ----------
    reachable_bytes, reachable_count : int
        What the GC roots hold: the whole that shares are of.
    reachability : Table
        See `Heap.reachability`.
    suspects : tuple of Suspect
    share : float
        The least share of a suspect.
    """

    reachable_bytes: int
    reachable_count: int
    reachability: Table
    suspects: tuple[Suspect, ...]
    share: float

    def __len__(self) -> int:
        return len(self.suspects)

    def __iter__(self) -> Any:
        return iter(self.suspects)

    def __getitem__(self, place: int) -> Suspect:
        return self.suspects[place]

    def to_frame(self) -> pd.DataFrame:
        """A row for each suspect: what it is, where, what it retains."""
        import pandas as pd

        names = (
            "kind", "class_name", "instance_count", "retained_bytes", "share", "owner", "owner_kind",
            "content_class", "content_count", "ordinary", "off_heap_bytes",
        )  # fmt: skip
        return pd.DataFrame({name: [getattr(each, name) for each in self.suspects] for name in names})

    def __repr__(self) -> str:
        return f"<{len(self)} suspects of {self.reachable_bytes:,} reachable bytes>"

    def __str__(self) -> str:
        return "\n".join(line for each in self.suspects for line in describe_suspect(each)) or repr(self)


def find_suspects(graph: HeapGraph, share: float = SHARE) -> Suspects:
    """Find what retains at least a share of all that is reachable.

    Parameters
    ----------
    share : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        The share is not between 0 and 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share}; it lies between 0 and 1")
    tree = graph.dominators
    whole = reachable_units(graph)
    heaviest = HeavyChildren(graph, DROP)
    found = [_suspect(graph, owned, whole, heaviest) for owned in find_owned(graph, share)]
    found = _with_off_heap(graph, found, share, whole)
    found.sort(
        key=lambda suspect: (
            bool(suspect.ordinary),
            -max(suspect.retained_bytes, suspect.off_heap_bytes or 0),
        )
    )
    reached = np.count_nonzero(tree.immediate != NO_OBJECT)
    return Suspects(
        whole * graph.columns.unit_bytes, int(reached), graph.reachability_table, tuple(found), share
    )


def _suspect(graph: HeapGraph, owned: Owned, whole: int, heaviest: HeavyChildren) -> Suspect:
    tree, columns, owner = graph.dominators, graph.columns, owned.owner
    content = owned.content_class
    has_container = owner.kind in (STATIC, FIELD, THREAD_LOCAL, CLASS_VALUE)
    members = owned.pile_indices
    if (has_container or owner.is_native or owner.kind == STACK) and content:
        members = owned_members(graph, owned)
    content_count = int(members.size) if content else 0
    single = _single(graph, owned)
    if single is None:
        units = size_of(graph.retained_set(distinct(members)), columns.size_units)[1] if members.size else 0
        if units < _MOST * owned.dominated_units:  # what piles up is not what was found in the collection
            members = owned.pile_indices
            units = size_of(graph.retained_set(distinct(members)), columns.size_units)[1]
        classes = np.bincount(columns.class_index[members])
        name = graph.classes[int(classes.argmax())].name
        ids = columns.addresses.ids_of(members[:_SHOWN]).tolist()
        dominated = dominated_bytes(graph, distinct(members)) // columns.unit_bytes
    else:
        units = dominated = int(tree.retained_units[single])
        name = _name(graph, single)
        ids = [JavaObject(graph, single).object_id]
    subject = distinct(members) if single is None else np.array([single])
    loader_class, loader_count = held_loaders(graph, owned)
    return Suspect(
        kind="group" if single is None else "object",
        class_name=name,
        object_ids=tuple(ids),
        instance_count=int(subject.size),
        retained_bytes=units * columns.unit_bytes,
        dominated_bytes=dominated * columns.unit_bytes,
        share=units / whole,
        root_kinds=_root_kinds(graph, subject),
        path=None if single is None else owner_path(graph, single),
        holders=merged_paths(graph, subject) if single is None else None,
        accumulation=None if single is None else _accumulation(graph, single, heaviest),
        owner=owner.field,
        owner_kind=owner.kind,
        collection_class=_name(graph, owner.held_index) if has_container else "",
        content_class=content,
        content_count=content_count,
        way=owner.way,
        thread_names=owned.thread_names,
        other_holders=()
        if single is None
        else tuple(each for each in other_holders(graph, single) if each != owner.field),
        ordinary=_why_ordinary(owned),
        loader_class=loader_class,
        loader_count=loader_count,
    )


def _with_off_heap(graph: HeapGraph, found: list[Suspect], share: float, whole: int) -> list[Suspect]:
    """Suspects, with the fields whose objects stand for as large a part of the process's memory outside."""
    uses = [use for use in off_heap_if_large(graph).uses if use.way and use.kind != MAPPED]
    together = whole * graph.columns.unit_bytes + sum(use.byte_count or 0 for use in uses)
    for use in uses:
        if (use.byte_count or 0) < max(LEAST_OFF_HEAP_BYTES, share * together):
            continue
        place = next((i for i, each in enumerate(found) if each.owner == use.owner), None)
        if place is not None:
            found[place] = replace(found[place], off_heap_bytes=use.byte_count, ordinary="")
            continue
        members = np.nonzero(graph.columns.class_index == _class_row(graph, use.class_name))[0][:1]
        units = int(graph.columns.size_units[members].sum()) * use.object_count
        found.append(
            Suspect(
                kind="group",
                class_name=use.class_name,
                object_ids=(),
                instance_count=use.object_count,
                retained_bytes=units * graph.columns.unit_bytes,
                dominated_bytes=units * graph.columns.unit_bytes,
                share=units / whole if whole else 0.0,
                root_kinds={},
                path=None,
                holders=None,
                accumulation=None,
                owner=use.owner,
                owner_kind=use.owner_kind,
                collection_class="",
                content_class=use.class_name,
                content_count=use.object_count,
                way=use.way,
                thread_names=(),
                other_holders=(),
                ordinary="",
                off_heap_bytes=use.byte_count,
            )
        )
    return found


def _class_row(graph: HeapGraph, name: str) -> int:
    return next((row for row, each in enumerate(graph.classes) if each.name == name), -1)


def _single(graph: HeapGraph, owned: Owned) -> int | None:
    """The one object that retains nearly all that piled up; None for a group."""
    retained = graph.retained_units
    candidates = [int(index) for index in owned.pile_indices[:1]] if owned.pile_indices.size == 1 else []
    if owned.owner.kind in (STATIC, FIELD):
        candidates.insert(0, owned.owner.held_index)
    for index in candidates:
        if int(retained[index]) >= _NEARLY_ALL * owned.dominated_units:
            return index
    return None


def owner_path(graph: HeapGraph, index: int) -> Path | None:
    """The path to an object over the field that owns it; a shortest one where that leads through a long list.

    None where the GC roots do not reach the object at all.
    """
    chain = [index]
    parents = graph.owner_parents
    if int(parents[index]) == NO_OBJECT:
        return shortest_path(graph, index)
    while len(chain) < _MAX_PATH and int(parents[chain[-1]]) < VIRTUAL_ROOT:
        chain.append(int(parents[chain[-1]]))
    return shortest_path(graph, index) if len(chain) == _MAX_PATH else path_along(graph, chain[::-1])


def _why_ordinary(owned: Owned) -> str:
    """Why what a field owns is no leak; empty where nothing says so."""
    owner = owned.owner
    if class_origin(owned.content_class or "java.lang.Object") > ClassOrigin.JDK:
        return ""
    if owner.field == "java.util.zip.ZipFile$Source.files":
        return _ARCHIVES
    if owner.kind == LOADER:
        return "what a class loader keeps of the classes it loaded"
    if owner.kind in (STATIC, FIELD) and owner.field.startswith(_INTERNAL):
        return "a part of the JDK that every JVM has"
    if owner.kind == OTHER and "system class" in owner.field:
        return "constants of the JDK's classes"
    return ""


def _root_kinds(graph: HeapGraph, members: NDArray[np.int64]) -> dict[str, int]:
    roots = graph.roots
    mine = are_among(roots.object_index, members) & (roots.hangs_on < 0)
    return dict(Counter(ROOT_KIND_NAMES[kind] for kind in roots.kinds[mine].tolist()).most_common())


def _accumulation(graph: HeapGraph, index: int, heaviest: HeavyChildren) -> AccumulationPoint:
    tree, columns = graph.dominators, graph.columns
    way = [index]
    while len(way) < _MAX_STEPS:
        child = heaviest.of(way[-1])
        if child is None:
            break
        way.append(child)
    classes = columns.class_index[way]
    # A list's nodes each dominate the rest of it: its first node is where things pile up.
    while len(way) > 1 and classes[len(way) - 1] == classes[len(way) - 2]:
        way.pop()
    if np.count_nonzero(classes[: len(way)] == classes[len(way) - 1]) > _AGAIN:  # others between its nodes
        del way[int(np.argmax(classes == classes[len(way) - 1])) + 1 :]
    point = way[-1]
    below = np.nonzero(tree.immediate == np.uint32(point))[0]
    of_class = columns.class_index[below]
    counts = np.bincount(of_class, minlength=1)
    sums = np.bincount(of_class, tree.retained_units[below], 1)
    by_name: dict[str, tuple[int, int]] = {}  # several loaders may each have a class of one name
    for row in np.nonzero(sums)[0].tolist():
        count, units = by_name.get(graph.classes[row].name, (0, 0))
        by_name[graph.classes[row].name] = count + int(counts[row]), units + int(sums[row])
    heaviest_first = sorted(by_name.items(), key=lambda each: -each[1][1])[:_SHOWN]
    piles = tuple(
        Pile(class_name, count, units * columns.unit_bytes) for class_name, (count, units) in heaviest_first
    )
    one = JavaObject(graph, point)
    return AccumulationPoint(
        one.object_id,
        _name(graph, point),
        one.shallow_bytes,
        tree.retained_bytes_of(point),
        tuple(_name(graph, step) for step in _without_runs(way, classes.tolist())),
        piles,
    )


def _without_runs(way: list[int], classes: list[int]) -> list[int]:
    """The way without repeated classes."""
    return [step for place, step in enumerate(way) if not place or classes[place] != classes[place - 1]]


def _name(graph: HeapGraph, index: int) -> str:
    return title_of(JavaObject(graph, index))


def describe_suspect(suspect: Suspect) -> list[str]:
    """A suspect in plain words: how much, of what, in which field; who else holds it; where it piles up."""
    lines = [_headline(suspect)]
    if suspect.ordinary:
        lines.append(f"ordinary: {suspect.ordinary}")
    if suspect.way:
        lines.append(f"way: {' -> '.join(suspect.way[:10])}")
    if suspect.thread_names:
        names = ", ".join(suspect.thread_names[:_SHOWN])
        rest = len(suspect.thread_names) - _SHOWN
        lines.append(f"threads: {names}" + (f" and {rest:,} more" if rest > 0 else ""))
    if suspect.loader_count:
        lines.append(
            f"class loaders: {suspect.loader_count:,} {suspect.loader_class} hang on it, "
            "and each keeps all classes that it loaded"
        )
    point = suspect.accumulation
    if point is not None:
        if point.object_id != suspect.object_ids[0]:
            lines.append(
                f"accumulated in {point.class_name} 0x{point.object_id:x}, {point.retained_bytes:,} bytes"
            )
        lines += [
            f"there: {pile.object_count:,} x {pile.class_name}, {pile.retained_bytes:,} bytes"
            for pile in point.piles
        ]
    if suspect.holders is not None:
        lines += [f"held: {line}" for line in suspect.holders.lines(4)]
    elif suspect.other_holders:
        lines.append(f"also held by: {', '.join(suspect.other_holders)}")
    return lines


def _headline(suspect: Suspect) -> str:
    where = suspect.owner
    if suspect.owner_kind == STATIC:
        where = f"static {where}"
    elif suspect.owner_kind in (THREAD_LOCAL, CLASS_VALUE):
        where = f"{suspect.owner_kind} {where}"
    if suspect.collection_class and suspect.kind == "object":
        where += f" ({suspect.collection_class} 0x{suspect.object_ids[0]:x})"
    what = f"{suspect.share:.1%} of what is reachable, {suspect.retained_bytes:,} bytes"
    if suspect.off_heap_bytes is not None:
        what = f"{suspect.off_heap_bytes:,} bytes outside of the Java heap, {what} in it"
    if suspect.content_class and suspect.content_count:
        what += f": {suspect.content_count:,} {suspect.content_class}"
    elif suspect.kind == "group":
        what += f": {suspect.instance_count:,} {suspect.class_name}"
    else:
        what += f": {suspect.class_name} 0x{suspect.object_ids[0]:x}"
    return f"{what} in {where}"
