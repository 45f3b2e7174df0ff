"""What is inside a collection of the JDK: identifiers of its elements, or of its keys and values.

Field names are those of OpenJDK 8 to 25 (``java/util``, ``java/util/concurrent``).  A dump may
be hostile or taken in the middle of a change: chains end where they lead back into themselves,
sizes are cut to what the arrays hold, and nothing raises.  Items come one by one, so that who
wants the first ten pays for ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import islice, repeat
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.objects.fields import class_chain, class_fields, read_field
from heapscope.heap.objects.hash_chains import Items, hash_items
from heapscope.heap.objects.java_object import JavaObject, object_or_none
from heapscope.parser.tags import BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_MAX_WRAPPERS = 16
_MAX_COPIES = 1_000_000


class CollectionKind(Enum):
    """What a collection is in Python."""

    LIST = "list"
    SET = "set"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Contents:
    """What is inside a collection.

    Attributes
    ----------
    items : iterator of (int, int)
        Identifiers of key and value, 0 for null; of an element and 0 where it is no map.  In the
        order in which Java would iterate, as far as that does not depend on chance.
    """

    kind: CollectionKind
    items: Items


def _map_of(items: Items) -> Contents:
    return Contents(CollectionKind.MAP, items)


def _list_of(items: Items) -> Contents:
    return Contents(CollectionKind.LIST, items)


def _set_of(items: Items) -> Contents:
    return Contents(CollectionKind.SET, items)


_Reader = Callable[[JavaObject, int], Contents | None]


def contents(collection: JavaObject, depth: int = 0) -> Contents | None:
    """What is inside a collection of the JDK; None for any other object.

    Parameters
    ----------
    depth : int
        How many wrappers (``Collections.unmodifiableMap`` and its like) were opened on the way.
    """
    reader = _reader_of(collection.graph, collection.class_index)
    return None if reader is None or depth > _MAX_WRAPPERS else reader(collection, depth)


def is_collection(graph: HeapGraph, class_index: int) -> bool:
    """Whether a class is, or extends, a collection of the JDK that `contents` knows."""
    return _reader_of(graph, class_index) is not None


def _reader_of(graph: HeapGraph, class_index: int) -> _Reader | None:
    known: dict[int, _Reader | None] = graph.kept("collection readers", dict)
    if class_index not in known:
        names = (java_class.name for java_class in class_chain(graph, graph.classes[class_index]))
        known[class_index] = next((_READERS[name] for name in names if name in _READERS), None)
    return known[class_index]


def static_reference(graph: HeapGraph, class_name: str, field: str) -> int:
    """Identifier in a static field, 0 where class or field are missing."""
    java_class = graph.classes.named(class_name)
    if java_class is not None:
        for static in java_class.statics:
            if static.name == field and static.type == BasicType.OBJECT:
                return int(static.value)
    return 0


# --- hash tables ---


def _table(owner: JavaObject, name: str = "table") -> NDArray[np.uint64]:
    array = owner.follow(name)
    return np.empty(0, np.uint64) if array is None else array.element_ids()


def _hash_map(java_map: JavaObject, depth: int) -> Contents:
    return _map_of(hash_items(java_map.graph, _table(java_map)))


def _linked_hash_map(java_map: JavaObject, depth: int) -> Contents:
    if "head" not in class_fields(java_map.graph, java_map.class_index).by_name:
        return _hash_map(java_map, depth)  # up to JDK 7, and on old Androids
    return _map_of(_linked(java_map, "head", "after", "key", "value"))


def _hashtable(java_map: JavaObject, depth: int) -> Contents | None:
    # Since JDK 9 a Properties keeps its entries in a ConcurrentHashMap.
    inner = java_map.follow("map")
    return contents(inner, depth + 1) if inner is not None else _hash_map(java_map, depth)


def _concurrent_hash_map(java_map: JavaObject, depth: int) -> Contents:
    return _map_of(_concurrent_items(java_map))


def _concurrent_items(java_map: JavaObject) -> Items:
    graph = java_map.graph
    table = java_map.follow("table")
    tables: set[int] = set()
    while table is not None and table.index not in tables:
        tables.add(table.index)
        heads = table.element_ids()
        heads = heads[heads != 0]
        rows = graph.indices_of(heads)
        table = None
        for class_index in np.unique(graph.columns.class_index[rows[rows >= 0]]).tolist():
            name = graph.classes[class_index].name.rpartition("$")[2]
            if name not in ("TreeBin", "ForwardingNode", "ReservationNode"):
                continue
            special = np.nonzero((rows >= 0) & (graph.columns.class_index[rows] == class_index))[0]
            heads[special] = 0
            if name == "TreeBin":  # its nodes are linked as well
                heads[special] = read_field(graph, rows[special], "first", is_optional=True).references()
            elif name == "ForwardingNode":
                # The table is growing: bins that were moved are in the next table, and only they.
                forward = JavaObject(graph, int(rows[special[0]]))
                table = forward.follow("nextTable")
        yield from hash_items(graph, heads)


def _weak_hash_map(java_map: JavaObject, depth: int) -> Contents:
    null_key = static_reference(java_map.graph, "java.util.WeakHashMap", "NULL_KEY")
    items = hash_items(java_map.graph, _table(java_map))
    # A key that was collected has left its entry behind.
    return Contents(
        CollectionKind.MAP, ((0 if key == null_key else key, value) for key, value in items if key)
    )


def _alternating(java_map: JavaObject, null_key: int) -> Contents:
    ids = _table(java_map).tolist()
    pairs = zip(ids[::2], ids[1::2], strict=False)
    return Contents(
        CollectionKind.MAP, ((0 if key == null_key else key, value) for key, value in pairs if key)
    )


def _identity_hash_map(java_map: JavaObject, depth: int) -> Contents:
    null_key = static_reference(java_map.graph, "java.util.IdentityHashMap", "NULL_KEY")
    return _alternating(java_map, null_key)


def _immutable_map(java_map: JavaObject, depth: int) -> Contents:
    return _alternating(java_map, 0)


def _enum_map(java_map: JavaObject, depth: int) -> Contents:
    null = static_reference(java_map.graph, "java.util.EnumMap", "NULL")
    pairs = zip(_table(java_map, "keyUniverse").tolist(), _table(java_map, "vals").tolist(), strict=False)
    return Contents(
        CollectionKind.MAP, ((key, 0 if value == null else value) for key, value in pairs if value)
    )


# --- trees and links ---


def _tree_map(java_map: JavaObject, depth: int) -> Contents:
    return _map_of(_tree_items(java_map))


def _tree_items(java_map: JavaObject) -> Items:
    graph = java_map.graph
    seen: set[int] = set()
    pending: list[tuple[int, int, int]] = []
    at = java_map.reference_ids("root")[0]
    while True:
        node = object_or_none(graph, at)
        if node is not None and node.index not in seen:
            seen.add(node.index)
            at, right, key, value = node.reference_ids("left", "right", "key", "value")
            pending.append((right, key, value))
        elif pending:
            at, key, value = pending.pop()
            yield key, value
        else:
            return


def _linked(owner: JavaObject, first: str, following: str, key: str, value: str = "") -> Items:
    """(key, value) of nodes that are linked; a value that the nodes do not have is 0."""
    graph = owner.graph
    seen: set[int] = set()
    node = owner.follow(first)
    while node is not None and node.index not in seen:
        seen.add(node.index)
        key_id, value_id, next_id = node.reference_ids(key, value, following)
        yield key_id, value_id
        node = object_or_none(graph, next_id)


def _linked_list(first: str, *, has_gaps: bool = False) -> _Reader:
    """``has_gaps``: nodes without an item are no elements: they were taken out, or head the list."""

    def read(collection: JavaObject, depth: int) -> Contents:
        items = _linked(collection, first, "next", "item")
        return _list_of((item for item in items if item[0]) if has_gaps else items)

    return read


def _skip_list_map(java_map: JavaObject, depth: int) -> Contents:
    # The head is an index node of the topmost level; the list itself begins at the lowest one.
    index, seen = java_map.follow("head"), set()
    while index is not None and index.index not in seen:
        seen.add(index.index)
        lower = index.follow("down")
        if lower is None:
            break
        index = lower
    if index is None:
        return _map_of(iter(()))
    # A null key has the list's head, and a marker of a removal; a removed node has no value.
    # The value is called value on JDK 8, val since.
    name = "val" if "val" in _names_of(index.follow("node")) else "value"
    items = _linked(index, "node", "next", "key", name)
    return _map_of(item for item in items if item[0] and item[1])


def _names_of(node: JavaObject | None) -> Iterable[str]:
    return () if node is None else class_fields(node.graph, node.class_index).by_name


# --- arrays ---


def _elements(ids: Iterable[int]) -> Items:
    return zip(ids, repeat(0))


def _clamped(value: object, limit: int) -> int:
    return min(max(value, 0), limit) if isinstance(value, int) else 0


def _array_list(array: str, size: str = "") -> _Reader:
    """A list in an array, all of it where no field has the size."""

    def read(collection: JavaObject, depth: int) -> Contents:
        ids = _table(collection, array)
        count = _clamped(collection.get(size), ids.size) if size else ids.size
        return _list_of(_elements(ids[:count].tolist()))

    return read


def _ring(array: str, first: str, *, count: str = "", end: str = "") -> _Reader:
    """A queue in an array that is used round and round."""

    def read(collection: JavaObject, depth: int) -> Contents:
        ids = _table(collection, array)
        start = _clamped(collection.get(first), ids.size)
        if count:
            length = _clamped(collection.get(count), ids.size)
        else:
            length = (_clamped(collection.get(end), ids.size) - start) % max(ids.size, 1)
        return Contents(
            CollectionKind.LIST, _elements(np.concatenate([ids[start:], ids[:start]])[:length].tolist())
        )

    return read


def _sub_list(*roots: str) -> _Reader:
    """A window of another list, which the first of these fields that is there has."""

    def read(collection: JavaObject, depth: int) -> Contents | None:
        root = next((found for name in roots if (found := collection.follow(name)) is not None), None)
        inner = None if root is None else contents(root, depth + 1)
        if inner is None:
            return None
        start = _clamped(collection.get("offset"), 2**31)
        size = _clamped(collection.get("size"), 2**31)
        return _list_of(islice(inner.items, start, start + size))

    return read


def _copies(collection: JavaObject, depth: int) -> Contents | None:
    # The only collection that has more elements than the heap has references.
    count = _clamped(collection.get("n"), _MAX_COPIES + 1)
    one = collection.reference_ids("element")[0]
    return None if count > _MAX_COPIES else _list_of(repeat((one, 0), count))


def _immutable_set(collection: JavaObject, depth: int) -> Contents:
    ids = _table(collection, "elements")
    return _set_of(_elements(ids[ids != 0].tolist()))


def _one_or_two(kind: CollectionKind) -> _Reader:
    def read(collection: JavaObject, depth: int) -> Contents:
        # What stands for no second element was null up to JDK 14.
        nothing = static_reference(collection.graph, "java.util.ImmutableCollections", "EMPTY")
        first, second = collection.reference_ids("e0", "e1")
        return Contents(kind, _elements([first] if second in (0, nothing) else [first, second]))

    return read


def _enum_set(collection: JavaObject, depth: int) -> Contents:
    universe = _table(collection, "universe").tolist()
    bits = collection.get("elements")  # RegularEnumSet's long
    words = collection.follow("elements")  # JumboEnumSet's long[]
    mask = int(bits) if words is None and bits is not None else 0
    if words is not None:
        mask = int.from_bytes(words.elements().astype("<i8", casting="unsafe").tobytes(), "little")
    return _set_of(_elements([each for i, each in enumerate(universe) if mask >> i & 1]))


# --- wrappers, views and the rest ---


def _inside(field: str) -> _Reader:
    """What another collection has, of that one's kind."""

    def read(collection: JavaObject, depth: int) -> Contents | None:
        inner = collection.follow(field)
        return None if inner is None else contents(inner, depth + 1)

    return read


def _keys(field: str) -> _Reader:
    """A set that is the keys of a map."""

    def read(collection: JavaObject, depth: int) -> Contents | None:
        java_map = collection.follow(field)
        if java_map is None:
            return _set_of(iter(()))
        inner = contents(java_map, depth + 1)
        return None if inner is None else _set_of(((key, 0) for key, _ in inner.items))

    return read


def _values(field: str) -> _Reader:
    """The values of a map."""

    def read(collection: JavaObject, depth: int) -> Contents | None:
        java_map = collection.follow(field)
        inner = None if java_map is None else contents(java_map, depth + 1)
        return None if inner is None else _list_of(((value, 0) for _, value in inner.items))

    return read


def _as_set(read_list: _Reader) -> _Reader:
    def read(collection: JavaObject, depth: int) -> Contents | None:
        found = read_list(collection, depth)
        return None if found is None else _set_of(found.items)

    return read


def _fixed(kind: CollectionKind, *names: str) -> _Reader:
    """What single fields hold: one element each, or one key and its value."""

    def read(collection: JavaObject, depth: int) -> Contents:
        ids = collection.reference_ids(*names)
        if kind is CollectionKind.MAP:
            return Contents(kind, iter([(ids[0], ids[1])] if ids else []))
        return Contents(kind, _elements(ids))

    return read


_UTIL: dict[str, _Reader] = {
    "HashMap": _hash_map,
    "LinkedHashMap": _linked_hash_map,
    "TreeMap": _tree_map,
    "Hashtable": _hashtable,
    "IdentityHashMap": _identity_hash_map,
    "WeakHashMap": _weak_hash_map,
    "EnumMap": _enum_map,
    "HashSet": _keys("map"),
    "TreeSet": _keys("m"),
    "EnumSet": _enum_set,
    "ArrayList": _array_list("elementData", "size"),
    "Vector": _array_list("elementData", "elementCount"),
    "LinkedList": _linked_list("first"),
    "ArrayDeque": _ring("elements", "head", end="tail"),
    "PriorityQueue": _array_list("queue", "size"),
    "Arrays$ArrayList": _array_list("a"),
    "ArrayList$SubList": _sub_list("root", "this$0"),  # the latter up to JDK 8
    "AbstractList$SubList": _sub_list("root"),
    "SubList": _sub_list("l"),  # up to JDK 8
    "HashMap$KeySet": _keys("this$0"),
    "HashMap$Values": _values("this$0"),
    "LinkedHashMap$LinkedKeySet": _keys("this$0"),
    "LinkedHashMap$LinkedValues": _values("this$0"),
    "TreeMap$KeySet": _keys("m"),
    "TreeMap$Values": _values("this$0"),
    "Collections$UnmodifiableCollection": _inside("c"),
    "Collections$SynchronizedCollection": _inside("c"),
    "Collections$CheckedCollection": _inside("c"),
    "Collections$UnmodifiableMap": _inside("m"),
    "Collections$SynchronizedMap": _inside("m"),
    "Collections$CheckedMap": _inside("m"),
    "Collections$SetFromMap": _keys("m"),
    "Collections$AsLIFOQueue": _inside("q"),
    "Collections$CopiesList": _copies,
    "Collections$SingletonList": _fixed(CollectionKind.LIST, "element"),
    "Collections$SingletonSet": _fixed(CollectionKind.SET, "element"),
    "Collections$SingletonMap": _fixed(CollectionKind.MAP, "k", "v"),
    "Collections$EmptyList": _fixed(CollectionKind.LIST),
    "Collections$EmptySet": _fixed(CollectionKind.SET),
    "Collections$EmptyMap": _fixed(CollectionKind.MAP),
    "ImmutableCollections$ListN": _array_list("elements"),
    "ImmutableCollections$List12": _one_or_two(CollectionKind.LIST),
    "ImmutableCollections$SubList": _sub_list("root"),
    "ImmutableCollections$SetN": _immutable_set,
    "ImmutableCollections$Set12": _one_or_two(CollectionKind.SET),
    "ImmutableCollections$MapN": _immutable_map,
    "ImmutableCollections$Map1": _fixed(CollectionKind.MAP, "k0", "v0"),
    # JDK 9 and 10
    "ImmutableCollections$List0": _fixed(CollectionKind.LIST),
    "ImmutableCollections$List1": _fixed(CollectionKind.LIST, "e0"),
    "ImmutableCollections$List2": _fixed(CollectionKind.LIST, "e0", "e1"),
    "ImmutableCollections$Set0": _fixed(CollectionKind.SET),
    "ImmutableCollections$Set1": _fixed(CollectionKind.SET, "e0"),
    "ImmutableCollections$Set2": _fixed(CollectionKind.SET, "e0", "e1"),
    "ImmutableCollections$Map0": _fixed(CollectionKind.MAP),
}
_CONCURRENT: dict[str, _Reader] = {
    "ConcurrentHashMap": _concurrent_hash_map,
    "ConcurrentHashMap$KeySetView": _keys("map"),
    "ConcurrentHashMap$ValuesView": _values("map"),
    "ConcurrentSkipListMap": _skip_list_map,
    "ConcurrentSkipListSet": _keys("m"),
    "ConcurrentLinkedQueue": _linked_list("head", has_gaps=True),
    "ConcurrentLinkedDeque": _linked_list("head", has_gaps=True),
    "CopyOnWriteArrayList": _array_list("array"),
    "CopyOnWriteArrayList$COWSubList": _sub_list("this$0", "l"),  # the latter up to JDK 8
    "CopyOnWriteArraySet": _as_set(_inside("al")),
    "ArrayBlockingQueue": _ring("items", "takeIndex", count="count"),
    "LinkedBlockingQueue": _linked_list("head", has_gaps=True),
    "LinkedBlockingDeque": _linked_list("first", has_gaps=True),
    "PriorityBlockingQueue": _array_list("queue", "size"),
    "DelayQueue": _inside("q"),
}
_READERS: dict[str, _Reader] = {
    **{f"java.util.{name}": reader for name, reader in _UTIL.items()},
    **{f"java.util.concurrent.{name}": reader for name, reader in _CONCURRENT.items()},
    "javax.security.auth.Subject$SecureSet": _as_set(_inside("elements")),
}
