"""What holds the heap, by the field that owns it: from one dump to the line a developer opens.

The dominator tree says where things pile up: an object that retains much while none of its children does.
Class loaders, class objects, threads and their tables of thread locals only pass on what they hold, so they
are looked through.  What piles up is credited to the field that owns it
(`heapscope.heap.retention.owner_paths`), so that the pieces of one owner (a map for each thread, a shard for
each key) come together.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.graph.references import NO_OBJECT, VIRTUAL_ROOT
from heapscope.heap.retention import kernels
from heapscope.heap.retention.dominator_tree import children_of, marks_of, reachable_units
from heapscope.heap.retention.owner_paths import (
    LOADER,
    OTHER,
    STACK,
    Owner,
    extends,
    origins_of,
    owner_of,
    owner_parents,
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
_CONTENT_SAMPLES = 400  # elements whose classes say what piles up
_CONTENT_DEPTH = 8
_CONTENT_LOOKS = 4000  # objects that are looked at for it
_CLIMBED = 64  # steps from an element up to its collection
_LEAP = 8  # steps after which the nodes of a list are left behind at once
_OPENED = (
    "java.lang.Thread",
    "java.lang.ClassLoader",
    "java.lang.Class",
    "java.lang.ThreadLocal$ThreadLocalMap",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry[]",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry",
)
_PRIMITIVES = frozenset(kind.java_name for kind in BasicType if kind is not BasicType.OBJECT)
# Packages whose classes are collections and their parts.
_COLLECTIONS = frozenset({"java.util", "java.util.concurrent", "java.lang.ref"})
# Beside a collection, not in it.
_ASIDE = ("java.lang.ref.ReferenceQueue", "java.lang.ref.Finalizer", "java.util.concurrent.locks.")
# Values that say nothing of what piles up: a map from names to sessions is one of sessions.
_PLAIN = frozenset(
    {
        *("java.lang.String", "java.lang.Integer", "java.lang.Long", "java.lang.Boolean", "java.lang.Object"),
        *("java.lang.Double", "java.lang.Float", "java.lang.Short", "java.lang.Character", "java.lang.Byte"),
        *("java.lang.Class", "byte[]", "char[]", "int[]", "long[]", "java.util.UUID", "java.util.Date"),
    }
)


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
    for part, owner in _credited(graph, _find_pieces(graph, least)):
        found[owner.field].append((part, owner))
    for parts in found.values():
        parts.sort(key=lambda each: -each[0].units)
    return found


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
        threads = dict.fromkeys(owner.thread_name for _, owner in parts if owner.thread_name)
        found.append(
            Owned(
                owner=parts[0][1],
                pile_indices=members,
                held_indices=np.unique(np.array([owner.held_index for _, owner in parts], np.int64)),
                is_group=parts[0][0].is_group,
                dominated_units=units,
                content_class=_content_of(graph, parts[0][1], members),
                thread_names=tuple(threads),
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.dominated_units, each.owner.field)))


def _content_of(graph: HeapGraph, owner: Owner, members: NDArray[np.int64]) -> str:
    if owner.kind in (OTHER, STACK, LOADER) and owner.held_index in members:
        name = most_common_class(graph, members)
        inside = _is_structure(name) or _is_object_array(graph, int(members[0]))
        return (inside and content_class(graph, members)) or name
    return content_class(graph, np.array([owner.held_index]))


def most_common_class(graph: HeapGraph, members: NDArray[np.int64]) -> str:
    """The class that most of some objects have."""
    return graph.classes[int(np.bincount(graph.columns.class_index[members]).argmax())].name


def _find_pieces(graph: HeapGraph, least: int) -> list[_Piece]:
    """Where things pile up; pieces are disjoint in the dominator tree, the largest first."""
    retained, immediate, class_index = (
        graph.retained_units,
        graph.immediate_dominators,
        graph.columns.class_index,
    )
    large = np.nonzero(retained >= least)[0]
    rest = _own_rest(graph, large)
    is_opened = _opened_classes(graph)
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


def _own_rest(graph: HeapGraph, large: NDArray[np.int64]) -> dict[int, int]:
    """What each large object retains beside the large objects below it.

    A chain of objects of one class, as a linked list is, counts as its first object: each node retains all
    that follow, and hardly anything itself.
    """
    retained, immediate, class_index = (
        graph.retained_units,
        graph.immediate_dominators,
        graph.columns.class_index,
    )
    above = immediate[large]
    place = np.searchsorted(large, above)
    has_parent = above < VIRTUAL_ROOT
    place = np.where(has_parent, place, 0)
    is_link = has_parent & (class_index[large] == class_index[np.where(has_parent, above, 0)])
    head = np.where(is_link, place, np.arange(large.size))
    while True:
        further = head[head]
        if (further == head).all():
            break
        head = further
    units = retained[large].astype(np.int64)
    rest = np.where(is_link, 0, units)
    leaves = has_parent & ~is_link
    np.subtract.at(rest, head[place[leaves]], units[leaves])
    heads = np.nonzero(~is_link)[0]
    return dict(zip(large[heads].tolist(), rest[heads].tolist(), strict=True))


def _opened_classes(graph: HeapGraph) -> NDArray[np.bool_]:
    """Classes whose objects only pass on what they hold, bool, shape (c,)."""
    return graph.kept(
        "opened classes", lambda: np.logical_or.reduce([extends(graph, name) for name in _OPENED])
    )


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
        if piece.is_group or _is_object_array(graph, index):
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


def _is_object_array(graph: HeapGraph, index: int) -> bool:
    name = graph.classes[int(graph.columns.class_index[index])].name
    return name.endswith("[]") and name.removesuffix("[]") not in _PRIMITIVES


def _shared_out(graph: HeapGraph, piece: _Piece) -> list[tuple[_Piece, Owner]]:
    """The owners of a group: a sample of its members tells in which parts."""
    step = max(1, piece.members.size // _SAMPLED)
    sample = piece.members[::step]
    owners = [owner_of(graph, index, is_one_of_many=True) for index in sample.tolist()]
    counts = Counter(owner.field for owner in owners)
    first = {owner.field: owner for owner in reversed(owners)}
    found = []
    for name, count in counts.items():
        # Which of the others belong to whom is not known: each owner gets its part of the whole.
        members = piece.members if len(counts) == 1 else sample[[owner.field == name for owner in owners]]
        found.append((_Piece(members, piece.units * count // len(owners), is_group=True), first[name]))
    return found


def content_class(graph: HeapGraph, containers: NDArray[np.int64]) -> str:
    """What piles up in some objects: the class whose instances retain most of those found first below them.

    Nodes, entries, arrays and collections of the JDK are looked through; strings and numbers count only where
    there is nothing else.

    Parameters
    ----------
    containers : int64 array
        Object indices.

    Returns
    -------
    str
        The program's class before a library's before the JDK's; empty where nothing is found.
    """
    origins, class_index, references = origins_of(graph), graph.columns.class_index, graph.references
    is_opened = _opened_classes(graph)
    # What holds the collection is not in it, though its elements refer to it as the outer object does.
    holders = {each for index in containers.tolist() for each in graph.dominators.chain(index)}
    weights: dict[ClassOrigin, Counter[str]] = defaultdict(Counter)
    pending = deque((index, 0) for index in containers[:_CONTENT_SAMPLES].tolist())
    seen: set[int] = set()
    while pending and len(seen) < _CONTENT_LOOKS:
        at, depth = pending.popleft()
        if at in seen or at in holders or (depth and is_opened[class_index[at]]):
            continue
        seen.add(at)
        name = graph.classes[int(class_index[at])].name
        origin = ClassOrigin(int(origins[int(class_index[at])]))
        is_array = name.endswith("[]") and name not in _PLAIN
        if depth and not is_array and not (origin == ClassOrigin.JDK and _is_structure(name)):
            weights[origin][name] += int(graph.retained_units[at]) + 1
            if origin > ClassOrigin.JDK:
                continue
        if depth < _CONTENT_DEPTH and name not in _PLAIN and not name.startswith(_ASIDE):
            below = references.outgoing(at)
            step = max(1, below.size // _CONTENT_SAMPLES)
            pending += [(each, depth + 1) for each in below[::step].tolist()]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        if weights[origin]:
            return weights[origin].most_common(1)[0][0]
    ordered = [name for name, _ in weights[ClassOrigin.JDK].most_common()]
    return next((name for name in ordered if name not in _PLAIN), ordered[0] if ordered else "")


def owned_members(graph: HeapGraph, owned: Owned) -> NDArray[np.int64]:
    """Object indices of what a field owns: of its content's class, else of what piles up there."""
    piles, name = owned.pile_indices, owned.content_class
    is_field = owned.owner.place >= 0
    if not name or (not is_field and most_common_class(graph, piles) == name):
        return piles
    members = content_members(graph, owned.held_indices if is_field else piles, name)
    return members if members.size else piles


def content_members(graph: HeapGraph, containers: NDArray[np.int64], class_name: str) -> NDArray[np.int64]:
    """The instances of a class that some objects hold: on their preferred path, or in their dominator tree.

    Parameters
    ----------
    containers : int64 array
        Object indices, ascending.
    class_name : str
        Subclasses do not count.

    Returns
    -------
    int64 array
        Object indices, strictly increasing.
    """
    is_it = np.array([c.name == class_name for c in graph.classes], bool)
    rows = graph.instances_of(is_it)
    found = np.zeros(rows.size, bool)
    for tree in (owner_parents(graph), graph.immediate_dominators):
        rest = np.nonzero(~found)[0]
        found[rest] = _are_below(graph, tree, rows[rest], containers)
    return rows[found]


def _are_below(
    graph: HeapGraph, tree: NDArray[np.uint32], rows: NDArray[np.int64], containers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which objects have one of the containers above them in a tree."""
    marks = marks_of(graph, containers)
    class_index = graph.columns.class_index
    # At most half full where one node of 64 is remembered.
    slots = 1 << max(4, (class_index.size // 32).bit_length())
    keys, firsts = np.full(slots, NO_OBJECT, np.uint32), np.empty(slots, np.uint32)
    below = np.zeros(rows.size, np.uint8)
    kernels.mark_below["u2" if class_index.dtype == np.uint16 else "i4"](
        tree, class_index, rows, marks, keys, firsts, np.zeros(1, np.int64), below, _CLIMBED, _LEAP
    )
    return below.astype(bool)


def _is_structure(class_name: str) -> bool:
    """Whether a class of the JDK is a collection, or a part of one: ``HashMap``, ``LinkedList$Node``."""
    return class_name.rpartition(".")[0] in _COLLECTIONS and class_name not in _PLAIN
