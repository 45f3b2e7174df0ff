"""Python values of Java objects: releases that no test can run, and heaps that lie.

What today's JVMs build is compared in ``tests/integration/test_values.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.heap.heap import Heap
from heapscope.heap.objects import values
from heapscope.heap.objects.java_collections import contents
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.objects.values import Decoder, have_words, read_strings
from heapscope.parser.tags import BasicType
from tests.support.dumps import DumpBuilder, build

MAX = 2**31 - 1
_SIGNED = (BasicType.INT, BasicType.LONG)
OBJECTS = "java.lang.Object[]"
ValueOf = Callable[..., Any]

# Fields as OpenJDK declares them, of classes that tests/support/jdk.py does not have.
FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "java.util.ArrayList": ("java.lang.Object", {"elementData": "Object[]", "size": "int"}),
    "java.util.ArrayDeque": ("java.lang.Object", {"elements": "Object[]", "head": "int", "tail": "int"}),
    "java.util.LinkedList": ("java.lang.Object", {"first": "Node", "last": "Node", "size": "int"}),
    "java.util.LinkedList$Node": ("java.lang.Object", {"item": "Object", "next": "Node", "prev": "Node"}),
    "java.util.TreeMap": ("java.util.AbstractMap", {"root": "Entry", "size": "int"}),
    "java.util.TreeMap$Entry": (
        "java.lang.Object",
        {"key": "Object", "value": "Object", "left": "Entry", "right": "Entry"},
    ),
    "java.util.HashSet": ("java.lang.Object", {"map": "HashMap"}),
    "java.util.IdentityHashMap": ("java.util.AbstractMap", {"table": "Object[]", "size": "int"}),
    "java.util.EnumMap": ("java.util.AbstractMap", {"keyUniverse": "Enum[]", "vals": "Object[]"}),
    "java.util.EnumSet": ("java.lang.Object", {"universe": "Enum[]"}),
    "java.util.RegularEnumSet": ("java.util.EnumSet", {"elements": "long"}),
    "java.util.JumboEnumSet": ("java.util.EnumSet", {"elements": "long[]", "size": "int"}),
    "java.util.Collections$UnmodifiableCollection": ("java.lang.Object", {"c": "Collection"}),
    "java.util.Collections$CopiesList": ("java.lang.Object", {"n": "int", "element": "Object"}),
    "java.util.SubList": ("java.lang.Object", {"l": "AbstractList", "offset": "int", "size": "int"}),
    "java.util.ArrayList$SubList": (
        "java.lang.Object",
        {
            "parent": "AbstractList",
            "parentOffset": "int",
            "offset": "int",
            "size": "int",
            "this$0": "ArrayList",
        },
    ),
    "java.util.ImmutableCollections$List1": ("java.lang.Object", {"e0": "Object"}),
    "java.util.ImmutableCollections$List2": ("java.lang.Object", {"e0": "Object", "e1": "Object"}),
    "java.util.ImmutableCollections$List12": ("java.lang.Object", {"e0": "Object", "e1": "Object"}),
    "java.util.ImmutableCollections$Set0": ("java.lang.Object", {}),
    "java.util.ImmutableCollections$MapN": ("java.lang.Object", {"table": "Object[]", "size": "int"}),
    "java.util.concurrent.ConcurrentHashMap$ForwardingNode": (
        "java.util.concurrent.ConcurrentHashMap$Node",
        {"nextTable": "Node[]"},
    ),
    "java.util.concurrent.ConcurrentHashMap$TreeBin": (
        "java.util.concurrent.ConcurrentHashMap$Node",
        {"first": "TreeNode", "root": "TreeNode"},
    ),
    "java.util.concurrent.ConcurrentSkipListMap": ("java.util.AbstractMap", {"head": "HeadIndex"}),
    "java.util.concurrent.ConcurrentSkipListMap$Index": (
        "java.lang.Object",
        {"node": "Node", "down": "Index", "right": "Index"},
    ),
    "java.util.concurrent.ConcurrentSkipListMap$HeadIndex": (
        "java.util.concurrent.ConcurrentSkipListMap$Index",
        {"level": "int"},
    ),
    "java.util.concurrent.ConcurrentSkipListMap$Node": (
        "java.lang.Object",
        {"key": "Object", "value": "Object", "next": "Node"},
    ),
    "java.lang.Number": ("java.lang.Object", {}),
    "java.lang.Integer": ("java.lang.Number", {"value": "int"}),
    "java.lang.Character": ("java.lang.Object", {"value": "char"}),
    "java.util.concurrent.atomic.AtomicBoolean": ("java.lang.Object", {"value": "int"}),
    "java.lang.Enum": ("java.lang.Object", {"name": "String", "ordinal": "int"}),
    "java.util.Optional": ("java.lang.Object", {"value": "Object"}),
}


class JdkBuilder:
    """A DumpBuilder whose classes of the JDK are declared when they are used."""

    def __init__(self, builder: DumpBuilder) -> None:
        self.d = builder
        self._declared: set[str] = set()

    def declare(self, name: str) -> None:
        if name in FIELDS and name not in self._declared:
            self._declared.add(name)
            super_name, fields = FIELDS[name]
            self.declare(super_name)
            self.d.cls(name, super_name, fields=fields)

    def new(self, simple_name: str, **fields: Any) -> int:
        package = "java.util.concurrent." if simple_name.startswith("Concurrent") else "java.util."
        name = simple_name if "." in simple_name else package + simple_name
        self.declare(name)
        return self.d.instance(name, **fields)

    def array(self, *elements: int | str | None) -> int:
        return self.d.object_array(OBJECTS, elements)

    def list(self, *elements: int | str | None) -> int:
        return self.new("ArrayList", elementData=self.array(*elements), size=len(elements))


@pytest.fixture
def value_of(tmp_path: Path, request: pytest.FixtureRequest) -> ValueOf:
    """Value of the object that a function builds last."""

    def find(write: Callable[[JdkBuilder], int], *, depth: int | None = None, **options: Any) -> Any:
        at: list[int] = []
        dump = build(lambda d: at.append(write(JdkBuilder(d))), **options)
        heap = heapscope.open(dump.save(tmp_path / "d.hprof"))
        request.addfinalizer(heap.close)
        return heap.object_at(at[0]).value(depth)

    return find


# --- strings and boxed values ---


@pytest.mark.parametrize("jdk", [8, 17])
@pytest.mark.parametrize("identifier_bytes", [4, 8])
def test_strings(value_of: ValueOf, jdk: int, identifier_bytes: int) -> None:
    texts = ["", "plain", "na\u00efve", "\u0416\U0001f600", "\0"]
    found = value_of(lambda j: j.list(*texts), jdk=jdk, identifier_bytes=identifier_bytes)
    assert found == texts


def test_many_strings_at_once_are_the_same(tmp_path: Path) -> None:
    for jdk in (8, 17):
        dump = build(lambda d: [d.string(f"{i} \u0416" if i % 2 else f"{i}") for i in range(50)], jdk=jdk)
        with heapscope.open(dump.save(tmp_path / f"{jdk}.hprof")) as heap:
            strings = heap.objects("java.lang.String")
            texts = read_strings(heap.graph, strings.indices)
            assert texts == [each.text() for each in strings]
            assert sorted(text or "" for text in texts) == sorted(dump.truth.strings.values())
            assert strings.values().tolist() == texts


def substrings(j: JdkBuilder) -> int:
    """Strings of JDK 6 share one array; the last one claims what is not there."""
    j.d.cls("java.lang.String", fields={"value": "char[]", "offset": "int", "count": "int"})
    chars = j.d.primitive_array("char", [ord(char) for char in "hello world"])
    made = [
        j.d.instance("java.lang.String", value=chars, offset=offset, count=count)
        for offset, count in [(0, 5), (6, 5), (3, 0), (-1, 3), (0, MAX), (MAX, MAX)]
    ]
    lone = j.d.instance("java.lang.String", value=j.d.primitive_array("int", [1]))
    return j.array(*made, lone, j.d.instance("java.lang.String"))


def test_strings_that_are_windows(value_of: ValueOf) -> None:
    *texts, lone, empty = value_of(substrings)
    assert texts == ["hello", "world", "", *["hello world"] * 3]
    assert isinstance(empty, JavaObject)
    assert empty.text() is None
    assert lone is not None


def test_boxed_values_and_enums(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        j.declare("java.lang.Enum")
        j.d.cls("a.Color", "java.lang.Enum")
        j.d.cls("a.Color$1", "a.Color")
        return j.list(
            j.new("java.lang.Integer", value=-5),
            j.new("java.lang.Character", value=0x416),
            j.new("java.util.concurrent.atomic.AtomicBoolean", value=1),
            j.d.instance("a.Color$1", name="GREEN"),
            j.new("Optional", value=j.new("java.lang.Integer", value=7)),
            j.new("Optional"),
            j.d.class_id("a.Color"),
        )

    assert value_of(write) == [-5, "\u0416", True, "GREEN", 7, None, "a.Color"]


def test_an_enum_without_a_name_stays_an_object(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        j.declare("java.lang.Enum")
        j.d.cls("a.Color", "java.lang.Enum")
        return j.list(*[j.d.instance("a.Color") for _ in range(40)])

    assert all(isinstance(each, JavaObject) for each in value_of(write))


def test_arrays(value_of: ValueOf) -> None:
    assert value_of(lambda j: j.d.primitive_array("byte", b"\xff\0")) == b"\xff\0"
    assert value_of(lambda j: j.d.primitive_array("char", [0x416])) == "\u0416"
    found = value_of(lambda j: j.d.primitive_array("long", [-1, 2**62]))
    assert found.dtype == np.int64
    assert found.tolist() == [-1, 2**62]
    assert value_of(lambda j: j.array("a", None, 0xDEAD)) == ["a", None, None]
    left_out = value_of(lambda j: j.d.primitive_array("int", [1, 2], has_data=False), version="1.0.3")
    assert isinstance(left_out, JavaObject)
    assert left_out.element_count == 2


# --- older releases ---


def test_properties_of_jdk_8_and_9(value_of: ValueOf) -> None:
    for jdk in (8, 17):
        assert value_of(lambda j: j.d.system_properties({"a": "1", "b": "2"}), jdk=jdk) == {
            "a": "1",
            "b": "2",
        }


def test_lists_of_jdk_8_to_10(value_of: ValueOf) -> None:
    assert value_of(lambda j: j.new("ImmutableCollections$List1", e0="a")) == ["a"]
    assert value_of(lambda j: j.new("ImmutableCollections$List2", e0="a", e1="b")) == ["a", "b"]
    assert value_of(lambda j: j.new("ImmutableCollections$List12", e0="a")) == ["a"]
    assert value_of(lambda j: j.new("ImmutableCollections$Set0")) == set()
    whole = ["a", "b", "c", "d"]
    window = {"offset": 1, "size": 2}
    assert value_of(lambda j: j.new("SubList", l=j.list(*whole), **window)) == ["b", "c"]
    found = value_of(lambda j: j.new("ArrayList$SubList", **{"this$0": j.list(*whole)}, **window))
    assert found == ["b", "c"]


def test_skip_lists_of_jdk_8(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        node, prefix = 0, "ConcurrentSkipListMap$"
        for key in ("c", "b", "a"):
            node = j.new(f"{prefix}Node", key=key, value=key.upper(), next=node)
        marker = j.new(f"{prefix}Node", next=node)  # of a node that was taken out: no key, itself as value
        j.d.set(marker, value=marker)
        taken_out = j.new(f"{prefix}Node", key="taken out", next=marker)
        base = j.new(f"{prefix}Node", value=j.d.instance("java.lang.Object"), next=taken_out)
        low = j.new(f"{prefix}HeadIndex", node=base)
        return j.new("ConcurrentSkipListMap", head=j.new(f"{prefix}HeadIndex", node=base, down=low))

    assert value_of(write) == {"a": "A", "b": "B", "c": "C"}


def test_a_concurrent_map_that_grows(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        node = "java.util.concurrent.ConcurrentHashMap$Node"

        def chain(*keys: str) -> int:
            head = 0
            for key in keys:
                head = j.d.instance(node, key=key, val=key.upper(), next=head)
            return head

        tree = j.new("ConcurrentHashMap$TreeBin", first=chain("t1", "t2"))
        following = j.d.object_array(f"{node}[]", [0, chain("moved"), tree, 0])
        forward = [j.new("ConcurrentHashMap$ForwardingNode", nextTable=following) for _ in range(2)]
        table = j.d.object_array(f"{node}[]", [forward[0], chain("x", "y"), forward[1], 0xDEAD])
        return j.d.instance("java.util.concurrent.ConcurrentHashMap", table=table)

    assert value_of(write) == {key: key.upper() for key in ("x", "y", "moved", "t1", "t2")}


# --- heaps that lie ---


@pytest.mark.parametrize("size", [MAX, 3, 2, 0, -1, -(2**31)])
def test_a_wrong_size_is_cut(value_of: ValueOf, size: int) -> None:
    found = value_of(lambda j: j.new("ArrayList", elementData=j.array("a", "b"), size=size))
    assert found == (["a", "b"] if size >= 2 else [])


@pytest.mark.parametrize(
    ("head", "tail"), [(0, 0), (1, 0), (-1, 5), (MAX, -(2**31)), (3, 3), (2, 1), (MAX, MAX), (-5, -5)]
)
def test_a_ring_with_wrong_ends(value_of: ValueOf, head: int, tail: int) -> None:
    found = value_of(lambda j: j.new("ArrayDeque", elements=j.array("a", "b", "c"), head=head, tail=tail))
    assert isinstance(found, list)
    assert set(found) <= {"a", "b", "c"}
    assert value_of(lambda j: j.new("ArrayDeque", elements=j.array(), head=head, tail=tail)) == []


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_fields_of_null_are_no_error(value_of: ValueOf, name: str) -> None:
    found = value_of(lambda j: j.list(j.new(name)))
    assert len(found) == 1
    assert found[0] in ([], {}, set(), [None], [None, None], None, 0, False, "\0") or isinstance(
        found[0], JavaObject
    )


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_fields_that_lead_astray_are_no_error(value_of: ValueOf, name: str) -> None:
    """Every reference of a collection leads to what it cannot be; every number is absurd."""

    def write(j: JdkBuilder) -> int:
        itself = j.new(name)
        class_name = j.d._objects[itself].class_name
        made = [itself]
        for target in (
            *(itself, 0xDEAD, 2**40, j.d.string("x")),
            *(j.d.primitive_array("int", [1]), j.array(itself, 0xDEAD)),
        ):
            fields: dict[str, Any] = {
                field: target if kind is BasicType.OBJECT else -1 if kind in _SIGNED else 0
                for field, kind in j.d.fields_of(class_name).items()
            }
            made.append(j.d.instance(class_name, **fields))
        j.d.set(itself, **{field: value for field, value in fields.items() if value == target})
        return j.list(*made)

    assert len(value_of(write)) == 7


def test_chains_that_lead_back_end(value_of: ValueOf) -> None:
    def circle(j: JdkBuilder) -> int:
        first = j.d.instance("java.util.HashMap$Node", key="a", value="1")
        second = j.d.instance("java.util.HashMap$Node", key="b", value="2", next=first)
        j.d.set(first, next=second)
        return j.d.instance("java.util.HashMap", table=j.array(second, first, second), size=MAX)

    assert value_of(circle) == {"a": "1", "b": "2"}

    def linked(j: JdkBuilder) -> int:
        node = j.new("LinkedList$Node", item="a")
        j.d.set(node, next=node)
        return j.new("LinkedList", first=node, size=MAX)

    assert value_of(linked) == ["a"]

    def tree(j: JdkBuilder) -> int:
        root = j.new("TreeMap$Entry", key="m", value="1")
        left = j.new("TreeMap$Entry", key="a", value="2", left=root, right=root)
        j.d.set(root, left=left, right=left)
        return j.new("TreeMap", root=root)

    assert value_of(tree) == {"a": "2", "m": "1"}


@pytest.mark.parametrize("buckets", [100, 1000])
def test_large_tables_in_bulk_end_too(value_of: ValueOf, buckets: int) -> None:
    """All chains lead into one circle."""

    def write(j: JdkBuilder) -> int:
        nodes = [j.d.instance("java.util.HashMap$Node", key=f"k{i}", value=f"v{i}") for i in range(buckets)]
        for at, node in enumerate(nodes):
            j.d.set(node, next=nodes[(at + 1) % buckets])
        return j.d.instance("java.util.HashMap", table=j.array(*nodes, 0xDEAD), size=-1)

    assert value_of(write) == {f"k{i}": f"v{i}" for i in range(buckets)}


def test_a_long_chain_beside_many_short_ones(value_of: ValueOf) -> None:
    entries: dict[int | str, int | str | None] = {f"k{i}": f"v{i}" for i in range(2000)}

    def write(j: JdkBuilder) -> int:
        node = 0
        for i in range(300):
            node = j.d.instance("java.util.HashMap$Node", key=f"long{i}", value=None, next=node)
        made = j.d.hash_map(entries, buckets=500)
        table = j.d._objects[int(j.d._objects[made].values["table"])]
        table.elements = [*table.elements, node]
        return made

    long: dict[str, str | None] = {f"long{i}": None for i in range(300)}
    assert value_of(write) == entries | long


def test_wrappers_in_a_circle_end(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        wrapper = j.new("Collections$UnmodifiableCollection")
        j.d.set(wrapper, c=wrapper)
        return wrapper

    assert isinstance(value_of(write), JavaObject)


def test_a_collection_in_itself(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        array = j.array(None, "x")
        made = j.new("ArrayList", elementData=array, size=2)
        j.d._objects[array].elements = [made, *j.d._objects[array].elements[1:]]
        return made

    found = value_of(write)
    assert isinstance(found[0], JavaObject)
    assert found[1:] == ["x"]
    assert isinstance(found[0].value()[0], JavaObject)


def test_sharing_is_decoded_once(value_of: ValueOf) -> None:
    """Lists of 1,000 times the same list, 30 deep: 10**90 elements if each were decoded anew."""

    def write(j: JdkBuilder) -> int:
        made = j.list("x")
        for _ in range(30):
            made = j.list(*[made] * 1000)
        return made

    found = value_of(write, depth=1000)
    for _ in range(30):
        assert len(found) == 1000
        assert found[0] is found[-1]
        found = found[0]
    assert found == ["x"]


def test_more_than_a_heap_can_hold_stays_an_object(
    value_of: ValueOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many lists that are all windows of one array."""

    def write(j: JdkBuilder) -> int:
        array = j.array(*["x"] * 500)
        lists = [j.new("ArrayList", elementData=array, size=500) for _ in range(500)]
        return j.array(*lists)

    assert value_of(write) == [["x"] * 500] * 500
    monkeypatch.setattr(values, "_FREE_ELEMENTS", 1000)
    monkeypatch.setattr(values, "_ELEMENTS_PER_OBJECT", 1)
    kinds = {type(each) for each in value_of(write)}
    assert kinds == {list, JavaObject}


def test_copies_without_end_stay_an_object(value_of: ValueOf) -> None:
    made = value_of(lambda j: j.list(j.new("Collections$CopiesList", n=MAX, element="x"), "y"))
    assert isinstance(made[0], JavaObject)
    assert made[1] == "y"
    assert value_of(lambda j: j.new("Collections$CopiesList", n=2, element="x")) == ["x", "x"]
    assert value_of(lambda j: j.new("Collections$CopiesList", n=-2, element="x")) == []


def test_depth_limits_collections_not_scalars(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        return j.list("a", j.list("b", j.list("c")))

    assert isinstance(value_of(write, depth=0), JavaObject)
    once = value_of(write, depth=1)
    assert once[0] == "a"
    assert isinstance(once[1], JavaObject)
    assert value_of(write) == ["a", ["b", ["c"]]]


def test_keys_that_cannot_be_keys_stay_objects(value_of: ValueOf) -> None:
    def write(j: JdkBuilder) -> int:
        items: dict[int | str, int | str | None] = {j.list("x"): "list", "y": "text", j.array(): "array"}
        return j.d.hash_map(items)

    found = value_of(write)
    assert sorted(found.values()) == ["array", "list", "text"]
    assert found["y"] == "text"
    assert sum(isinstance(key, JavaObject) for key in found) == 2


def test_enum_sets_and_maps(value_of: ValueOf) -> None:
    def constants(j: JdkBuilder, count: int) -> list[int | str | None]:
        j.declare("java.lang.Enum")
        j.d.cls("a.E", "java.lang.Enum")
        return [j.d.instance("a.E", name=f"E{i}") for i in range(count)]

    def regular(j: JdkBuilder) -> int:
        return j.new("RegularEnumSet", universe=j.array(*constants(j, 64)), elements=-(2**63) + 5)

    def jumbo(j: JdkBuilder) -> int:
        bits = j.d.primitive_array("long", [1, -(2**63)])
        return j.new("JumboEnumSet", universe=j.array(*constants(j, 128)), elements=bits)

    def enum_map(j: JdkBuilder) -> int:
        null = j.d.instance("java.lang.Object")
        j.declare("java.util.EnumMap")
        j.d.static("java.util.EnumMap", "NULL", "Object", null)
        return j.new("EnumMap", keyUniverse=j.array(*constants(j, 3)), vals=j.array("x", None, null))

    assert value_of(regular) == {"E0", "E2", "E63"}
    assert value_of(jumbo) == {"E0", "E127"}
    assert value_of(enum_map) == {"E0": "x", "E2": None}


def test_contents_come_one_by_one(tmp_path: Path) -> None:
    at: list[int] = []
    dump = build(lambda d: at.append(JdkBuilder(d).new("Collections$CopiesList", n=1_000_000, element="x")))
    with heapscope.open(dump.save(tmp_path / "d.hprof")) as heap:
        inside = contents(heap.object_at(at[0]))
        assert inside is not None
        assert next(inside.items)[0] == next(inside.items)[0] != 0
        assert contents(heap.objects("java.lang.String")[0]) is None


def test_a_decoder_gives_shared_things_once(tmp_path: Path) -> None:
    def write(d: DumpBuilder) -> None:
        j = JdkBuilder(d)
        d.cls("a.Holder", fields={"held": "Object"})
        shared = j.list("x")
        for _ in range(3):
            d.instance("a.Holder", held=shared)

    with heapscope.open(build(write).save(tmp_path / "d.hprof")) as heap:
        assert_shared(heap)


def assert_shared(heap: Heap) -> None:
    first, second, third = heap.objects("a.Holder").values("held")
    assert first is second is third
    assert Decoder(heap.graph).values(np.array([0, 0xDEAD], np.uint64)) == [None, None]


def test_words_are_found_without_decoding(tmp_path: Path) -> None:
    texts = [
        "db.PassWord",
        "monkey",
        "plain",
        "",
        "ключ",
        "pas",
        "xsecretx",
        "tokén",
        "sigma",
        "\u017fecret",
        "ab",
    ]
    d = DumpBuilder()
    for text in texts:
        d.root("JNI_GLOBAL", d.string(text))
    with heapscope.open(d.dump().save(tmp_path / "a.hprof"), use_index=False) as heap:
        strings = heap.objects("java.lang.String").indices
        may = have_words(heap.graph, np.append(strings, -1), ("password", "secret", "key", "sig"))
        by_text = dict(zip([*read_strings(heap.graph, strings), None], may.tolist(), strict=True))
    wanted = {
        text: any(word in text.lower() for word in ("password", "secret", "key", "sig")) for text in texts
    }
    # Of a text with characters beyond Latin-1 it is not told.
    assert by_text == wanted | {"ключ": True, "\u017fecret": True, None: False}
