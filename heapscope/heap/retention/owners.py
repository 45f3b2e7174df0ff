"""What holds the heap, by the field that owns it: from one dump to the line a developer opens.

The dominator tree says where things pile up: an object that retains much while none of its children does.
Class loaders, class objects, threads and their tables of thread locals only pass on what they hold, so they
are looked through.  What piles up is credited to the field that owns it
(`heapscope.heap.retention.owner_paths`), so that the pieces of one owner (a map for each thread, a shard for
each key) come together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin, class_origin
from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.graph.preferred_paths import COPIES
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.by_group import dominated_bytes
from heapscope.heap.retention.dominator_tree import children_of, reachable_units
from heapscope.heap.retention.owner_content import (
    are_below,
    carrier_classes,
    content_class,
    content_members,
    is_structure,
    most_common_class,
    opened_classes,
)
from heapscope.heap.retention.owner_paths import (
    ELEMENT,
    FIELD,
    LOADER,
    OTHER,
    STACK,
    STATIC,
    Owner,
    copied_names,
    extends,
    origins_of,
    owner_of,
    owner_of_loader,
)
from heapscope.parser.tags import BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

# A piece below this share of the reachable heap is not looked at alone: the pieces of one owner (a map for
# each of many threads) come together by class first.
_PIECE_SHARE = 0.005
_MAX_PIECES = 400
_SAMPLED = 64  # members of a group whose owners are looked up
_LOOKED_THROUGH = 8  # levels of class loaders, threads, thread locals that are opened
_LEAST_INSIDE = 16  # elements of an object that are no pile, and how many of them are looked at
_THREADS = 4  # so many whose names differ in digits at most are of one kind: chosen
_LOADERS = 3  # so many have what one of them alone would not: chosen
_RECURS = 8  # steps after which the class of a chain's nodes has come again
_PRIMITIVES = frozenset(kind.java_name for kind in BasicType if kind is not BasicType.OBJECT)


@dataclass(frozen=True, slots=True)
class Owned:
    """What one field owns.

    Attributes
    ----------
    owner : Owner
    pile_indices : int64 array
        Object indices of the objects that things pile up in, or of what piles up where no single object
        does; what retains most first.
    held_indices : int64 array
        Object indices of what the field refers to, in each object that has it.
    is_group : bool
        Whether these are instances that no single object dominates.
    dominated_units : int
        Sum of what piled up there, in units of the shallow sizes; the pieces of all owners are disjoint.
    content_class : str
        What piles up: the program's class if there is one; empty where that cannot be told.
    thread_names : tuple of str
        Threads whose thread locals or stacks hold it.
    """

    owner: Owner
    pile_indices: NDArray[np.int64] = field(repr=False)
    held_indices: NDArray[np.int64] = field(repr=False)
    is_group: bool
    dominated_units: int
    content_class: str
    thread_names: tuple[str, ...]


@dataclass(slots=True)
class _Piece:
    """An object in which things pile up, or instances of one class that nothing dominates together."""

    members: NDArray[np.int64]
    units: int
    is_group: bool


def _by_field(graph: HeapGraph, least: int) -> dict[str, list[tuple[_Piece, Owner]]]:
    """Pieces of at least so many units with their owners, by the owner's field; the largest first."""
    found: dict[str, list[tuple[_Piece, Owner]]] = defaultdict(list)
    credited = _credited(graph, _find_pieces(graph, least))
    owners = _of_thread_groups([owner for _, owner in credited])
    for (part, _), owner in zip(credited, owners, strict=True):
        found[owner.field].append((part, owner))
    for name in [name for name, parts in found.items() if _is_of_many_loaders(graph, parts)]:
        parts = found.pop(name)
        holders = _of_thread_groups([owner_of_loader(graph, owner) or owner for _, owner in parts])
        for (part, _), holder in zip(parts, holders, strict=True):
            found[holder.field].append((part, holder))
    for parts in found.values():
        parts.sort(key=lambda each: -each[0].units)
    return found


def _of_thread_groups(owners: list[Owner]) -> list[Owner]:
    """The owners, with the stacks and tasks of threads whose names differ in a number at most as one.

    A field that each of many such threads leads to once, and no collection, is not what they pile up in.
    """
    threads: dict[tuple[str, str], set[int]] = defaultdict(set)
    for owner in owners:
        if _is_of_thread(owner):
            threads[_group_of(owner)].add(owner.steps[0].object_index)
    return [
        replace(
            owner,
            field=f"{'local variables of ' * (owner.steps[0].kind == STACK)}threads {_group_of(owner)[1]!r}",
            kind=STACK,
            origin=ClassOrigin.JDK,
            place=0,
            held_index=owner.held_index if len(owner.steps) < 2 else owner.steps[1].object_index,
            thread_name=_group_of(owner)[1],
        )
        if _is_of_thread(owner) and len(threads[_group_of(owner)]) >= _THREADS
        else owner
        for owner in owners
    ]


def _is_of_thread(owner: Owner) -> bool:
    """Whether a thread's stack or its task leads to something, and no collection is between."""
    if not owner.thread_name or not owner.steps:
        return False
    first = owner.steps[0]
    if first.kind != STACK and not (first.kind == FIELD and first.class_name == "java.lang.Thread"):
        return False
    return owner.kind == STACK or all(step.kind != ELEMENT for step in owner.steps[: owner.place + 1])


def _group_of(owner: Owner) -> tuple[str, str]:
    field = "" if owner.kind == STACK else owner.field
    return field, name_of_many(owner.thread_name)


def name_of_many(thread_name: str) -> str:
    """What threads are called together whose names differ in a number at most: ``worker-*``."""
    return re.sub(r"\d+", "*", thread_name)


def _is_of_many_loaders(graph: HeapGraph, parts: list[tuple[_Piece, Owner]]) -> bool:
    """Whether a static field of a class that many loaders have holds something in each, and much in none.

    Then it is the loaders that pile up.  Where one of them has most of it, its field leaks.
    """
    owners = [owner for _, owner in parts]
    first = owners[0]
    if first.kind != STATIC or first.steps[first.place].class_name not in copied_names(graph):
        return False
    of_each: Counter[int] = Counter()
    for part, owner in parts:
        of_each[owner.steps[owner.place].object_index] += part.units
    return len(of_each) >= _LOADERS and 2 * max(of_each.values()) <= sum(of_each.values())


def find_owned(graph: HeapGraph, share: float = 0.1) -> tuple[Owned, ...]:
    """What each field owns, the largest first.

    Parameters
    ----------
    share : float
        The least part of what is reachable, between 0 and 1.

    Returns
    -------
    tuple of Owned
        Those that own at least that part.
    """
    whole = reachable_units(graph)
    least = max(1, int(whole * min(_PIECE_SHARE, share)))
    # A diagnosis asks more than once, for other shares.
    by_field = graph.kept(f"owned pieces of {least}", lambda: _by_field(graph, least))
    found = []
    for parts in by_field.values():
        units = sum(part.units for part, _ in parts)
        if units < share * whole:
            continue
        members = np.concatenate([part.members for part, _ in parts])
        held = np.unique(np.array([owner.held_index for _, owner in parts], np.int64))
        content = _content_of(graph, parts[0][1], members)
        threads = dict.fromkeys(owner.thread_name for _, owner in parts if owner.thread_name)
        found.append(
            Owned(
                owner=parts[0][1],
                pile_indices=members,
                held_indices=held,
                is_group=parts[0][0].is_group,
                dominated_units=units,
                content_class=_content_or_loaders(graph, content, held, units),
                thread_names=tuple(threads),
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.dominated_units, each.owner.field)))


def _content_of(graph: HeapGraph, owner: Owner, members: NDArray[np.int64]) -> str:
    held_class = graph.classes[int(graph.columns.class_index[owner.held_index])].name
    if owner.kind == STACK and class_origin(held_class) > ClassOrigin.JDK:
        return held_class  # each of many threads has one
    if owner.kind in (OTHER, STACK, LOADER) and owner.held_index in members:
        name = most_common_class(graph, members)
        inside = is_structure(name) or _is_object_array(graph, int(members[0]))
        return (inside and content_class(graph, members)) or name
    name = content_class(graph, np.array([owner.held_index]))
    if class_origin(name or "java.lang.Object") > ClassOrigin.JDK:
        return name
    # A registry of the JDK has its collection deep inside: from there the program's objects are near.
    deeper = content_class(graph, distinct(members))
    return deeper if class_origin(deeper or "java.lang.Object") > ClassOrigin.JDK else name


def _find_pieces(graph: HeapGraph, least: int) -> list[_Piece]:
    """Where things pile up; pieces are disjoint in the dominator tree, the largest first."""
    retained, immediate, class_index = (
        graph.retained_units,
        graph.immediate_dominators,
        graph.columns.class_index,
    )
    large = np.nonzero(retained >= least)[0]
    rest = _own_rest(graph, large, least)
    is_opened = opened_classes(graph)
    pieces = [
        _Piece(np.array([index]), units, is_group=False)
        for index, units in rest.items()
        if units >= least and not is_opened[class_index[index]]
    ]
    # What nothing dominates, and what only hangs on something that is looked through.
    passing = [index for index, units in rest.items() if units >= least and is_opened[class_index[index]]]
    frontier = np.nonzero(immediate == VIRTUAL_ROOT)[0]
    below = children_of(graph, np.array(passing, np.int64))
    place_of = {index: place for place, index in enumerate(passing)}
    places = np.array([place_of[index] for index in immediate[below].tolist()], np.int64)
    frontier = np.concatenate([frontier, below[np.argsort(places, kind="stable")]])
    frontier = frontier[retained[frontier] < least]
    for _ in range(_LOOKED_THROUGH):
        through = is_opened[class_index[frontier]]
        sums = np.bincount(class_index[frontier], retained[frontier], len(graph.classes))
        # Opened one by one they would be thousands of class objects: only where together they matter.
        through &= sums[class_index[frontier]] >= least
        if not through.any():
            break
        below = children_of(graph, frontier[through])
        pieces += _groups(graph, frontier[~through], least)
        frontier = below
    pieces += _groups(graph, frontier, least)
    pieces.sort(key=lambda piece: -piece.units)
    return pieces[:_MAX_PIECES]


def _own_rest(graph: HeapGraph, large: NDArray[np.int64], least: int) -> dict[int, int]:
    """What each large object retains beside the large objects below it.

    A chain counts as its first object: each node retains all that follow, and hardly anything itself.  A
    linked list is a chain of objects of one class; in others one class comes again after some steps (a page,
    the visit that led to it, the page before).
    """
    retained, immediate, class_index = (
        graph.retained_units,
        graph.immediate_dominators,
        graph.columns.class_index,
    )
    above = immediate[large]
    place = np.searchsorted(large, above)
    has_parent = above < VIRTUAL_ROOT
    place = np.where(has_parent, place, np.arange(large.size))
    classes = class_index[large]
    is_link = has_parent & (classes == classes[place])
    units = retained[large].astype(np.int64)
    rest = units.copy()
    np.subtract.at(rest, place[has_parent], units[has_parent])
    head = np.where(is_link, place, np.arange(large.size))
    _link_recurring(head, place, classes, (rest < least) & ~is_link)
    while True:
        further = head[head]
        if (further == head).all():
            break
        head = further
    sums = np.zeros(large.size, np.int64)
    np.add.at(sums, head, rest)
    heads = np.nonzero(head == np.arange(large.size))[0]
    return dict(zip(large[heads].tolist(), sums[heads].tolist(), strict=True))


def _link_recurring(
    head: NDArray[np.int64],
    place: NDArray[np.int64],
    classes: NDArray[np.uint16] | NDArray[np.int32],
    is_small: NDArray[np.bool_],
) -> None:
    """Link objects that are no piles themselves to one of their class some steps above, and those between.

    Parameters
    ----------
    head : int64 array, shape (k,)
        Where each object counts; changed in place.
    place : int64 array, shape (k,)
        Of the object above each; its own where there is none.
    classes : array, shape (k,)
    is_small : bool array, shape (k,)
        Which may be linked.
    """
    rows = np.nonzero(is_small)[0]
    at = place[place[rows]]
    found = np.full(rows.size, -1)
    for _ in range(_RECURS):
        recurs = (found < 0) & (classes[at] == classes[rows]) & (at != rows)
        found[recurs] = at[recurs]
        at = place[at]
    rows, found = rows[found >= 0], found[found >= 0]
    head[rows] = found
    at = place[rows]
    for _ in range(_RECURS):
        rows, found, at = (each[at != found] for each in (rows, found, at))
        between = is_small[at]
        head[at[between]] = found[between]
        at = place[at]


def _groups(graph: HeapGraph, members: NDArray[np.int64], least: int) -> list[_Piece]:
    """Members by class, as far as a class retains enough."""
    if not members.size:
        return []
    classes = graph.columns.class_index[members]
    sums = np.bincount(classes, graph.retained_units[members], len(graph.classes))
    found = []
    for class_index in np.nonzero(sums >= least)[0].tolist():
        mine = members[classes == class_index]
        found.append(_Piece(mine, int(sums[class_index]), is_group=True))
    return found


def _credited(graph: HeapGraph, pieces: list[_Piece]) -> list[tuple[_Piece, Owner]]:
    """Each piece with its owner.

    Of several objects under one field, which are no collections themselves, it is the field with the
    collection that counts: many file systems, each with one large configuration, are owned by their cache.
    """
    found: list[tuple[_Piece, Owner]] = []
    singles: dict[str, list[tuple[_Piece, Owner]]] = defaultdict(list)
    for piece in pieces:
        if piece.is_group and piece.members.size > 1:
            found += _shared_out(graph, piece)
            continue
        index = int(piece.members[0])
        owner = _field_inside(graph, index) or owner_of(graph, index)
        if piece.is_group or _is_of_collection(graph, index):
            found.append((piece, owner))
        else:
            singles[owner.field].append((piece, owner))
    for parts in singles.values():
        if len(parts) > 1:
            parts = [(part, owner_of(graph, int(part.members[0]), is_one_of_many=True)) for part, _ in parts]
        found += parts
    return found


def _field_inside(graph: HeapGraph, index: int) -> Owner | None:
    """The field of an object of the program by which it holds what piles up in it; None if there is none.

    Two collections of one object that share their elements, as the map and the queue of a cache do, retain
    nothing alone: the object does, and is no collection itself.
    """
    if ClassOrigin(int(origins_of(graph)[int(graph.columns.class_index[index])])) == ClassOrigin.JDK:
        return None
    name = content_class(graph, np.array([index]))
    members = content_members(graph, np.array([index]), name) if name else np.empty(0, np.int64)
    if members.size < _LEAST_INSIDE:
        return None
    step = max(1, members.size // _LEAST_INSIDE)
    owners = [owner_of(graph, each, is_one_of_many=True) for each in members[::step].tolist()]
    inside = [each for each in owners if each.place >= 0 and each.steps[each.place].object_index == index]
    if 2 * len(inside) < len(owners):
        return None
    most = Counter(each.field for each in inside).most_common(1)[0][0]
    return next(each for each in inside if each.field == most)


def _is_of_collection(graph: HeapGraph, index: int) -> bool:
    """Whether an object is a collection of the JDK, or a part of one: an array, a node."""
    row = int(graph.columns.class_index[index])
    is_part = is_structure(graph.classes[row].name) and not carrier_classes(graph)[row]
    return is_part or _is_object_array(graph, index)


def _is_object_array(graph: HeapGraph, index: int) -> bool:
    name = graph.classes[int(graph.columns.class_index[index])].name
    return name.endswith("[]") and name.removesuffix("[]") not in _PRIMITIVES


def _shared_out(graph: HeapGraph, piece: _Piece) -> list[tuple[_Piece, Owner]]:
    """The owners of a group: a sample of its members tells in which parts."""
    step = max(1, piece.members.size // _SAMPLED)
    sample = piece.members[::step]
    owners = _of_thread_groups([owner_of(graph, each, is_one_of_many=True) for each in sample.tolist()])
    counts = Counter(owner.field for owner in owners)
    first = {owner.field: owner for owner in reversed(owners)}
    found = []
    for name, count in counts.items():
        # Which of the others belong to whom is not known: each owner gets its part of the whole.
        members = piece.members if len(counts) == 1 else sample[[owner.field == name for owner in owners]]
        found.append((_Piece(members, piece.units * count // len(owners), is_group=True), first[name]))
    return found


def owned_members(graph: HeapGraph, owned: Owned) -> NDArray[np.int64]:
    """Object indices of what a field owns: of its content's class, else of what piles up there."""
    piles, name = owned.pile_indices, owned.content_class
    is_field = owned.owner.place >= 0 and owned.owner.kind != STACK
    if not name:
        return piles
    if not is_field and most_common_class(graph, piles) == name:
        is_named = [graph.classes[row].name == name for row in graph.columns.class_index[piles].tolist()]
        named: NDArray[np.int64] = piles[np.array(is_named, bool)]
        return named
    members = content_members(graph, owned.held_indices if is_field else distinct(piles), name)
    return members if members.size else piles


def held_loaders(graph: HeapGraph, owned: Owned) -> tuple[str, int]:
    """Class loaders that hang on what a field owns: the class that most of them have, and how many have it.

    Empty and 0 for fewer than would be applications that are deployed anew and never let go.
    """
    rows = _loaders_below(graph, owned.held_indices)
    name = most_common_class(graph, rows) if rows.size else ""
    return name, int(rows.size)


def _loaders_below(graph: HeapGraph, held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class loaders that hang on some objects, those of the class that most of them have; none of a few."""
    rows = graph.instances_of(extends(graph, "java.lang.ClassLoader"))
    if rows.size >= COPIES:
        rows = rows[are_below(graph.owner_parents, rows, held)]
    if rows.size < COPIES:
        return np.empty(0, np.int64)
    classes = graph.columns.class_index[rows]
    rows = rows[classes == np.bincount(classes).argmax()]
    return rows if rows.size >= COPIES else np.empty(0, np.int64)


def _content_or_loaders(graph: HeapGraph, content: str, held: NDArray[np.int64], units: int) -> str:
    """What piles up: class loaders where they make up most, and else there is nothing but the JDK's.

    A map from texts to classes leads to a loader for each, which keeps its classes and their static fields.
    """
    if class_origin(content or "java.lang.Object") > ClassOrigin.JDK:
        return content
    rows = _loaders_below(graph, held)
    if not rows.size:
        return content
    loaders = set(graph.columns.addresses.ids_of(rows).tolist())
    loaded = [row for row, each in enumerate(graph.classes) if each.loader_id in loaders]
    mirrors = graph.references.class_objects[loaded].astype(np.int64)
    weight = dominated_bytes(graph, np.union1d(rows, mirrors[mirrors >= 0])) // graph.columns.unit_bytes
    return most_common_class(graph, rows) if 2 * weight >= units else content
