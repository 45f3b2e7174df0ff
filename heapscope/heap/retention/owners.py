"""What holds the heap, by the field that owns it: from one dump to the line a developer opens.

The dominator tree says where things pile up: an object that retains much while none of its children does.
Class loaders, class objects, threads and their tables of thread locals only pass on what they hold, so they
are looked through.  What piles up is credited to the field that owns it
(`heapscope.heap.retention.owner_paths`), so that the pieces of one owner (a map for each thread, a shard for
each key) come together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.class_origin import ClassOrigin
from heapscope.heap.graph.references import VIRTUAL_ROOT
from heapscope.heap.retention.owner_paths import Owner, extends, origins_of, owner_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

# A piece below this share of the reachable heap is not looked at alone: the pieces of one owner (a map for
# each of many threads) come together by class first.
_PIECE_SHARE = 0.005
_MAX_PIECES = 400
_SAMPLED = 64  # members of a group whose owners are looked up
_LOOKED_THROUGH = 8  # levels of class loaders, threads, thread locals that are opened
_CONTENT_SAMPLES = 400  # elements whose classes say what piles up
_CONTENT_DEPTH = 8
_OPENED = (
    "java.lang.Thread",
    "java.lang.ClassLoader",
    "java.lang.Class",
    "java.lang.ThreadLocal$ThreadLocalMap",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry[]",
    "java.lang.ThreadLocal$ThreadLocalMap$Entry",
)
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
    retained, immediate = graph.retained_units, graph.immediate_dominators
    whole = int(retained[immediate == VIRTUAL_ROOT].sum(dtype=np.uint64))
    pieces = _find_pieces(graph, max(1, int(whole * min(_PIECE_SHARE, share))))
    by_field: dict[str, list[tuple[_Piece, Owner]]] = defaultdict(list)
    for part, owner in _credited(graph, pieces):
        by_field[owner.field].append((part, owner))
    found = []
    for parts in by_field.values():
        units = sum(part.units for part, _ in parts)
        if units < share * whole:
            continue
        parts.sort(key=lambda each: -each[0].units)
        members = np.concatenate([part.members for part, _ in parts])
        threads = dict.fromkeys(owner.thread_name for _, owner in parts if owner.thread_name)
        found.append(
            Owned(
                owner=parts[0][1],
                pile_indices=members,
                is_group=parts[0][0].is_group,
                dominated_units=units,
                content_class=content_class(graph, members),
                thread_names=tuple(threads),
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.dominated_units, each.owner.field)))


def _find_pieces(graph: HeapGraph, least: int) -> list[_Piece]:
    """Where things pile up; pieces are disjoint in the dominator tree, the largest first."""
    retained, immediate, class_index = (
        graph.retained_units,
        graph.immediate_dominators,
        graph.columns.class_index,
    )
    large = np.nonzero(retained >= least)[0]
    rest = _own_rest(graph, large)
    opened = _is_opened(graph)
    pieces = [
        _Piece(np.array([index]), units, is_group=False)
        for index, units in rest.items()
        if units >= least and not opened[index]
    ]
    # What nothing dominates, and what only hangs on something that is looked through.
    is_large = np.zeros(immediate.size, bool)
    is_large[large] = True
    passing = [index for index, units in rest.items() if units >= least and opened[index]]
    frontier = np.nonzero((immediate == VIRTUAL_ROOT) & ~is_large)[0]
    for index in passing:
        below = np.nonzero(immediate == np.uint32(index))[0]
        frontier = np.concatenate([frontier, below[~is_large[below]]])
    for _ in range(_LOOKED_THROUGH):
        through = opened[frontier] & ~is_large[frontier]
        sums = np.bincount(class_index[frontier], retained[frontier], len(graph.classes))
        # Opened one by one they would be thousands of class objects: only where together they matter.
        through &= sums[class_index[frontier]] >= least
        if not through.any():
            break
        below = np.nonzero(np.isin(immediate, frontier[through].astype(np.uint32)))[0]
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


def _is_opened(graph: HeapGraph) -> NDArray[np.bool_]:
    """Which objects only pass on what they hold, bool, shape (n,)."""
    is_opened = np.zeros(len(graph.classes), bool)
    for name in _OPENED:
        is_opened |= extends(graph, name)
    found: NDArray[np.bool_] = is_opened[graph.columns.class_index]
    return found


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
        owner = owner_of(graph, index)
        if piece.is_group or _is_array(graph, index):
            found.append((piece, owner))
        else:
            singles[owner.field].append((piece, owner))
    for parts in singles.values():
        if len(parts) > 1:
            parts = [(part, owner_of(graph, int(part.members[0]), is_one_of_many=True)) for part, _ in parts]
        found += parts
    return found


def _is_array(graph: HeapGraph, index: int) -> bool:
    return graph.classes[int(graph.columns.class_index[index])].is_array


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


def content_class(graph: HeapGraph, piles: NDArray[np.int64]) -> str:
    """What piles up in some objects: the class that most of their elements are of, or lead to.

    Nodes, entries, arrays and collections of the JDK are looked through; strings and numbers count only where
    there is nothing else.

    Parameters
    ----------
    piles : int64 array
        Object indices.

    Returns
    -------
    str
        The program's class before a library's before the JDK's; empty where nothing is found.
    """
    origins, class_index, references = origins_of(graph), graph.columns.class_index, graph.references
    counts: dict[ClassOrigin, Counter[str]] = defaultdict(Counter)
    pending = [(index, 0) for index in piles[:_CONTENT_SAMPLES].tolist()]
    seen: set[int] = set()
    class_objects = set(graph.class_objects.tolist())
    is_reference = extends(graph, "java.lang.ref.Reference")
    while pending and len(seen) < 4 * _CONTENT_SAMPLES:
        at, depth = pending.pop(0)
        if at in seen or at in class_objects:
            continue
        seen.add(at)
        name = graph.classes[int(class_index[at])].name
        origin = ClassOrigin(int(origins[int(class_index[at])]))
        if not name.endswith("[]") and (depth or piles.size > 1):
            if origin > ClassOrigin.JDK:
                counts[origin][name] += 1
                continue
            counts[ClassOrigin.JDK][name] += 1
        elif name in _PLAIN:
            counts[ClassOrigin.JDK][name] += 1
        if depth < _CONTENT_DEPTH and name not in _PLAIN and not is_reference[int(class_index[at])]:
            below = references.outgoing(at)
            step = max(1, below.size // _CONTENT_SAMPLES)
            pending += [(each, depth + 1) for each in below[::step].tolist()]
    for origin in (ClassOrigin.PROGRAM, ClassOrigin.LIBRARY):
        if counts[origin]:
            return counts[origin].most_common(1)[0][0]
    telling = [(name, count) for name, count in counts[ClassOrigin.JDK].most_common() if name not in _PLAIN]
    plain = [(name, count) for name, count in counts[ClassOrigin.JDK].most_common() if name in _PLAIN]
    telling = [(name, count) for name, count in telling if not _is_node(name)]
    return (telling or plain or [("", 0)])[0][0]


def _is_node(class_name: str) -> bool:
    """Whether a class of the JDK is a part of a collection: ``HashMap$Node``, ``LinkedList$Node``."""
    return class_name.startswith("java.util.") and "$" in class_name
