"""Decoded values equal what a real JVM was told to put there: every collection, on every JDK found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.heap.heap import Heap
from heapscope.heap.object_set import JavaObject
from heapscope.heap.objects.java_collections import contents, static_reference
from tests.support.jvm import find_jdks, java

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
RELEASES = [release for release in (11, 17, 21, 25) if release in find_jdks()] or [17]

ABC = {"a": 1, "b": 2, "c": 3}
LETTERS = ["a", "b", "c"]
MANY = [f"{letter}{digit}" for letter in "ABCDEFG" for digit in range(10)]
ONE_HASH = {"".join("BB" if number >> bit & 1 else "Aa" for bit in range(8)): number for number in range(256)}

EXPECTED: dict[str, Any] = {
    "latin": "na\u00efve",
    "utf16": "\u0416\u03b1\U0001f600",
    "empty": "",
    "null": None,
    "byte": -128,
    "short": -32768,
    "char": "\u0416",
    "int": -(2**31),
    "long": -(2**63),
    "float": 1.5,
    "double": -1e300,
    "true": True,
    "false": False,
    "AtomicInteger": -7,
    "AtomicLong": 2**40,
    "AtomicBoolean": True,
    "enum": "RED",
    "enum with a body": "GREEN",
    "Class": "java.util.Map$Entry",
    "Class of arrays": "java.lang.String[][]",
    "Optional": "here",
    "Optional.empty": None,
    "OptionalInt": 5,
    "OptionalLong.empty": None,
    "OptionalDouble": 2.5,
    "byte[]": b"\x01\xff\x00",
    "char[]": "\u0416x",
    "boolean[]": np.array([True, False]),
    "short[]": np.array([-1, 2], np.int16),
    "int[]": np.array([-(2**31), 7], np.int32),
    "long[]": np.array([2**63 - 1]),
    "float[]": np.array([0.5], np.float32),
    "double[]": np.array([], np.float64),
    "Object[]": ["a", 1, None, [2]],
    "String[][]": [["a"], [], None],
    "HashMap": ABC,
    "HashMap, empty": {},
    "HashMap with nulls": {None: "of null", "to null": None},
    "HashMap of 5000": {f"key{i}": i for i in range(5000)},
    "ConcurrentHashMap of 5000": {f"key{i}": i for i in range(5000)},
    "HashMap with a tree": ONE_HASH,
    "ConcurrentHashMap with a tree": ONE_HASH,
    "LinkedHashMap": ABC,
    "LinkedHashMap by access": {"b": 2, "c": 3, "a": 1},
    "a subclass": ABC,
    "TreeMap": {"c": 3, "b": 2, "a": 1},
    "TreeMap of 200": {i * 7919 % 200: i for i in range(200)},
    "ConcurrentHashMap": ABC,
    "ConcurrentSkipListMap": ABC,
    "ConcurrentSkipListMap of 200": {i: -i for i in range(300) if i % 3},
    "ConcurrentSkipListMap, empty": {},
    "Hashtable": ABC,
    "Properties": {"own": "yes"},
    "WeakHashMap": {"weak": 1, None: 3},
    "EnumMap": {"GREEN": "g", "BLUE": None},
    "Map.of()": {},
    "Map.of(1)": {"a": 1},
    "Map.of(3)": ABC,
    "emptyMap": {},
    "singletonMap": {"k": "v"},
    "unmodifiableMap": ABC,
    "unmodifiableSortedMap": ABC,
    "synchronizedMap": ABC,
    "checkedMap": ABC,
    "nested": {"list": [1, [2, np.array([3], np.int32)]]},
    "ArrayList": LETTERS,
    "ArrayList, empty": [],
    "LinkedList": LETTERS,
    "Vector": LETTERS,
    "Stack": LETTERS,
    "ArrayDeque": ["first", "x", "x", "x", "last"],
    "ArrayDeque, empty": [],
    "Arrays.asList": ["a", None, "c"],
    "List.of()": [],
    "List.of(1)": ["a"],
    "List.of(2)": ["a", "b"],
    "List.of(3)": LETTERS,
    "ArrayList.subList": ["c", "a"],
    "Arrays.asList.subList": ["b", "c"],
    "List.of.subList": ["b", "c"],
    "Vector.subList": ["b"],
    "CopyOnWriteArrayList": LETTERS,
    "CopyOnWriteArrayList.subList": ["b", "c"],
    "PriorityQueue": [1, 3, 2],
    "PriorityBlockingQueue": [1, 3, 2],
    "ArrayBlockingQueue": LETTERS,
    "ArrayBlockingQueue, full": ["b", "c", "d"],
    "LinkedBlockingQueue": ["b", "c"],
    "LinkedBlockingDeque": LETTERS,
    "ConcurrentLinkedQueue": ["c"],
    "ConcurrentLinkedDeque": LETTERS,
    "emptyList": [],
    "singletonList": ["a"],
    "nCopies": ["a", "a", "a"],
    "unmodifiableList": LETTERS,
    "unmodifiableCollection": LETTERS,
    "synchronizedList": LETTERS,
    "checkedList": LETTERS,
    "asLifoQueue": LETTERS,
    "HashMap.values": [1, 2, 3],
    "LinkedHashMap.values": [1, 2, 3],
    "TreeMap.values": [1, 2, 3],
    "ConcurrentHashMap.values": [1, 2, 3],
    "HashSet": set(LETTERS),
    "HashSet of lists": [[1, 2]],
    "LinkedHashSet": set(LETTERS),
    "TreeSet": set(LETTERS),
    "ConcurrentSkipListSet": set(LETTERS),
    "CopyOnWriteArraySet": set(LETTERS),
    "Set.of()": set(),
    "Set.of(1)": {"a"},
    "Set.of(2)": {"a", "b"},
    "Set.of(3)": set(LETTERS),
    "EnumSet": {"RED", "BLUE"},
    "EnumSet of 70": set(MANY) - {"A0", "F3", "F4"},
    "emptySet": set(),
    "singleton": {"a"},
    "unmodifiableSet": set(LETTERS),
    "synchronizedSet": set(LETTERS),
    "newSetFromMap": set(LETTERS),
    "newKeySet": set(LETTERS),
    "HashMap.keySet": set(LETTERS),
    "LinkedHashMap.keySet": set(LETTERS),
    "TreeMap.keySet": set(LETTERS),
    "ConcurrentHashMap.keySet": set(LETTERS),
    "HashSet of 1000": {f"e{i}" for i in range(1000)},
}
# What stays a JavaObject somewhere; each has a test of its own.
SPECIAL = {"keys that are equal in Python", "IdentityHashMap", "nCopies of too many", "a list in itself"}
IN_ORDER = {"LinkedHashMap", "LinkedHashMap by access", "TreeMap", "TreeMap of 200", "unmodifiableSortedMap"}


@pytest.fixture(scope="module", params=RELEASES, ids=str)
def heap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heap]:
    path = tmp_path_factory.mktemp("values") / "values.hprof"
    with java(find_jdks()[request.param], "Values", "-XX:+UseSerialGC") as jvm:
        jvm.dump(path)
    with heapscope.open(path) as opened:
        yield opened


def everything(heap: Heap) -> dict[str, JavaObject | None]:
    """The objects in ``Values.ALL``."""
    inside = contents(heap.object_at(static_reference(heap.graph, "Values", "ALL")))
    assert inside is not None
    pairs = [
        (heap.object_at(key).text() or "", heap.object_at(value) if value else None)
        for key, value in inside.items
    ]
    return dict(pairs)


def is_same(found: Any, expected: Any) -> bool:
    """Equal, of the same types, however deep."""
    if type(found) is not type(expected):
        return False
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(found, expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(is_same, found, expected))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(is_same(found[key], expected[key]) for key in found)
    return bool(found == expected)


@pytest.mark.jvm
def test_every_value_is_what_java_put_there(heap: Heap) -> None:
    found = everything(heap)
    assert set(found) == set(EXPECTED) | SPECIAL
    values = {name: None if each is None else each.value() for name, each in found.items()}
    wrong = {
        name: (values[name], EXPECTED[name]) for name in EXPECTED if not is_same(values[name], EXPECTED[name])
    }
    assert wrong == {}
    for name in IN_ORDER:
        expected = EXPECTED[name] if name != "TreeMap of 200" else range(200)
        assert [*(values[name] or ())] == [*expected], name


@pytest.mark.jvm
def test_all_at_once_is_the_same(heap: Heap) -> None:
    all_of_them = heap.object_at(static_reference(heap.graph, "Values", "ALL")).value()
    wrong = [name for name in EXPECTED if not is_same(all_of_them[name], EXPECTED[name])]
    assert wrong == []


@pytest.mark.jvm
def test_keys_that_are_one_in_python_stay_apart(heap: Heap) -> None:
    found = everything(heap)
    alike, identity = found["keys that are equal in Python"], found["IdentityHashMap"]
    assert alike is not None
    assert identity is not None
    values = alike.value()
    assert list(values.values()) == ["Integer", "Long", "Boolean", "unhashable"]
    assert [key.class_name if isinstance(key, JavaObject) else key for key in values] == [
        *(1, "java.lang.Long", "java.lang.Boolean", "java.util.ArrayList"),
    ]
    by_identity = identity.value()
    assert sorted(by_identity.values()) == [1, 2, 3]
    assert by_identity[None] == 3
    assert "same" in by_identity
    assert [key.text() for key in by_identity if isinstance(key, JavaObject)] == ["same"]


@pytest.mark.jvm
def test_what_never_ends_stays_an_object(heap: Heap) -> None:
    found = everything(heap)
    endless, itself = found["nCopies of too many"], found["a list in itself"]
    assert endless is not None
    assert itself is not None
    assert endless.value() == endless
    assert itself.value() == ["x", itself]


@pytest.mark.jvm
def test_fields_of_many_objects(heap: Heap) -> None:
    sizes = heap.objects("Values$Sizes")
    expected = {"b": -1, "s": -2, "c": "x", "i": -3, "l": -(2**63), "f": 0.5, "d": -0.25, "z": True}
    frame = sizes.to_frame(*expected)
    assert len(frame) == 1000
    for name, value in expected.items():
        assert frame[name].unique().tolist() == [value], name
    assert frame["l"].dtype == np.int64
    assert frame["f"].dtype == np.float32
    assert frame["z"].dtype == np.bool_


@pytest.mark.jvm
def test_every_collection_of_the_jvm_itself_can_be_decoded(heap: Heap) -> None:
    """Whatever the JDK built for itself while it started: nothing raises, most of it has a value."""
    maps = heap.objects("java.util.AbstractMap")
    values = maps.values()
    decoded = sum(isinstance(value, dict) for value in values)
    assert len(maps) > 100
    assert decoded > 0.9 * len(maps)
    claimed = heap.objects("java.util.HashMap")
    for each, size in zip(claimed.values(), claimed.values("size"), strict=True):
        assert len(each) == size


# --- what the leaked file systems hold, in the sample dumps ---


def test_the_keys_of_the_leak() -> None:
    with heapscope.open(SAMPLES / "leak-4.hprof.gz") as heap:
        keys = heap.objects("org.apache.hadoop.fs.FileSystem$Cache$Key")
        frame = keys.to_frame("scheme", "authority", "unique", "ugi.subject", "ugi.user.fullName")
        assert len(frame) == 50
        assert set(frame["scheme"]) == {"hdfs"}
        assert frame["authority"].str.endswith(":8020").all()
        assert set(frame["unique"]) == {0}
        assert set(frame["ugi.user.fullName"]) == {"trainer@EXAMPLE.COM"}
        # One user, one host, and fifty subjects, which equals() compares by identity.
        assert len(set(frame["ugi.subject"])) == len(keys.field("ugi.subject")) == 50
        assert keys.group_by("ugi.subject").column("object_count") == [1] * 50
        assert keys.where("authority", frame["authority"][0]).indices.size == 50
        users = heap.objects("org.apache.hadoop.security.UserGroupInformation")
        assert users.group_by("user.fullName").column("object_count") == [150]
        (principals,) = {len(each) for each in keys.field("ugi.subject").values("principals")}
        assert principals == 5


def test_configurations_of_the_leak() -> None:
    with heapscope.open(SAMPLES / "leak-4.hprof.gz") as heap:
        decoded = heap.objects("org.apache.hadoop.conf.Configuration").values("properties").tolist()
        of_hdfs = [each for each in decoded if each is not None and "fs.defaultFS" in each]
        assert len(of_hdfs) >= 50
        assert all(len(each) > 500 for each in of_hdfs)
        assert {each["hadoop.security.authentication"] for each in of_hdfs} <= {"kerberos", "simple"}


@pytest.mark.parametrize("name", ["leak-1", "healthy-2", "jdk21-leak-1"])
def test_collections_have_as_many_elements_as_they_say(name: str) -> None:
    with heapscope.open(SAMPLES / f"{name}.hprof.gz") as heap:
        for class_name, size in (
            ("java.util.HashMap", "size"),
            ("java.util.TreeMap", "size"),
            ("java.util.Hashtable", "count"),
            ("java.util.IdentityHashMap", "size"),
            ("java.util.concurrent.ConcurrentHashMap", "baseCount"),
            ("java.util.ArrayList", "size"),
            ("java.util.LinkedList", "size"),
        ):
            found = heap.objects(class_name, subclasses=False)
            assert len(found) > 0, class_name
            claimed = found.values(size).tolist()
            assert [len(each) for each in found.values()] == claimed, class_name
