"""Fields of many objects at once: the same as one at a time, whatever the classes and layouts."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.errors import ObjectNotFound
from heapscope.heap.heap import Heap
from heapscope.heap.objects.fields import class_chain, class_fields, read_field
from heapscope.parser.tags import BasicType
from heapscope.parser.writer import HeapLayout
from tests.support.dumps import DumpBuilder, build

Open = Callable[..., Heap]

VALUES: dict[str, tuple[str, Any]] = {
    "z": ("boolean", True),
    "c": ("char", 0x416),
    "f": ("float", 0.5),
    "d": ("double", -1e300),
    "b": ("byte", -128),
    "s": ("short", -32768),
    "i": ("int", -(2**31)),
    "l": ("long", -(2**63)),
}


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """``opened(write, identifier_bytes=4)``: a heap, closed when the test ends."""

    def open_it(write: Callable[[DumpBuilder], object], **options: Any) -> Heap:
        path = build(write, **options).save(tmp_path / "d.hprof")
        heap = heapscope.open(path)
        request.addfinalizer(heap.close)
        return heap

    return open_it


def everything(d: DumpBuilder) -> None:
    """Two classes and a subclass of one; the subclass's own fields come first in its instances."""
    d.cls("a.Base", fields={"before": "long", **{name: kind for name, (kind, _) in VALUES.items()}})
    d.cls("a.Sub", "a.Base", fields={"own": "Object", "small": "byte"})
    d.cls("a.Other", fields={"i": "int", "own": "Object"})
    values = {name: value for name, (_, value) in VALUES.items()}
    for number in range(5):
        base = d.instance("a.Base", before=number, **values)
        d.instance("a.Sub", before=number, own=base, small=-number, **values)
        d.instance("a.Other", i=number, own=0xDEAD)
    d.object_array("a.Base[]", [None])


def rows_of(heap: Heap, *names: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    wanted = [i for i, each in enumerate(heap.classes) if each.name in names]
    return np.nonzero(np.isin(heap.columns.class_index, wanted))[0]


@pytest.mark.parametrize("identifier_bytes", [4, 8])
@pytest.mark.parametrize("order", ["classes-first", "instances-first", "shuffled"])
@pytest.mark.parametrize("layout", [HeapLayout.SEGMENTS, HeapLayout.ONE_RECORD])
def test_every_type_in_a_class_and_its_subclass(
    opened: Open, identifier_bytes: int, order: str, layout: HeapLayout
) -> None:
    heap = opened(everything, identifier_bytes=identifier_bytes, order=order, layout=layout)
    rows = rows_of(heap, "a.Base", "a.Sub")
    assert rows.size == 10
    for name, (kind, value) in VALUES.items():
        column = read_field(heap.graph, rows, name)
        assert {BasicType(code).java_name for code in column.types.tolist()} == {kind}
        expected = chr(value) if kind == "char" else value
        assert column.primitives().tolist() == [expected] * 10
    assert sorted(read_field(heap.graph, rows, "before").primitives().tolist()) == sorted([*range(5)] * 2)


def test_dtypes_are_those_of_the_fields(opened: Open) -> None:
    heap = opened(everything)
    rows = rows_of(heap, "a.Base")
    found = {
        name: read_field(heap.graph, rows, name).primitives().dtype.str for name in VALUES if name != "c"
    }
    assert found == {
        "z": "|b1", "f": "<f4", "d": "<f8", "b": "|i1", "s": "<i2", "i": "<i4", "l": "<i8",
    }  # fmt: skip


def test_one_at_a_time_is_the_same(opened: Open) -> None:
    heap = opened(everything)
    for each in heap.objects("a.*"):
        for name, value in each.fields().items():
            column = read_field(heap.graph, np.array([each.index]), name)
            if column.has_references:
                assert column.references().tolist() == [value]
            elif name != "c":
                assert column.primitives().tolist() == [value]


def test_rows_without_the_field(opened: Open) -> None:
    heap = opened(everything)
    rows = np.concatenate([rows_of(heap, "a.Base", "a.Sub", "a.Other"), [-1]])
    small = read_field(heap.graph, rows, "small")
    assert np.count_nonzero(small.types) == 5
    assert sorted(each for each in small.primitives().tolist() if each is not None) == [-4, -3, -2, -1, 0]
    missing = read_field(heap.graph, rows, "d").primitives()
    assert missing.dtype == np.float64
    assert np.count_nonzero(np.isnan(missing)) == 6
    flags = read_field(heap.graph, rows, "z").primitives().tolist()
    assert flags.count(True) == 10
    assert flags.count(None) == 6


def test_a_reference_is_an_identifier_and_no_number(opened: Open) -> None:
    heap = opened(everything)
    rows = rows_of(heap, "a.Sub", "a.Other", "a.Base")
    column = read_field(heap.graph, rows, "own")
    assert column.has_references
    assert sorted(set(column.references().tolist()))[:2] == [0, 0xDEAD]
    assert column.primitives().tolist() == [None] * rows.size
    assert np.count_nonzero(heap.indices_of(column.references()) >= 0) == 5


def test_one_name_with_several_types(opened: Open) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.Int", fields={"x": "int"})
        d.cls("a.Long", fields={"x": "long"})
        d.cls("a.Ref", fields={"x": "Object"})
        d.instance("a.Int", x=-1)
        d.instance("a.Long", x=-2)
        d.instance("a.Ref", x="text")

    heap = opened(write)
    assert heap.objects("a.*").values("x").tolist() == [-1, -2, "text"]


def test_arrays_and_class_objects_have_no_fields(opened: Open) -> None:
    heap = opened(everything)
    rows = np.concatenate([rows_of(heap, "a.Base[]", "java.lang.Class"), rows_of(heap, "a.Base")[:1]])
    assert np.count_nonzero(read_field(heap.graph, rows, "i").types) == 1


def test_a_wrong_name_lists_the_nearest(opened: Open) -> None:
    heap = opened(everything)
    with pytest.raises(ObjectNotFound, match=r"'befor' not found in the fields of a\.Base .*nearest: before"):
        read_field(heap.graph, rows_of(heap, "a.Base"), "befor")
    with pytest.raises(ObjectNotFound, match="and 2 more"):
        read_field(heap.graph, rows_of(heap, "a.Base", "a.Sub", "a.Other"), "q")
    assert not read_field(heap.graph, rows_of(heap, "a.Base"), "befor", is_optional=True).types.any()


def test_no_rows(opened: Open) -> None:
    heap = opened(everything)
    assert read_field(heap.graph, np.array([], np.int64), "whatever").bits.size == 0
    assert read_field(heap.graph, np.array([-1, -1]), "whatever").types.tolist() == [0, 0]


def test_the_character_0_is_a_character(opened: Open) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.A", fields={"c": "char"})
        d.instance("a.A")
        d.instance("a.A", c=0xD800)

    assert opened(write).objects("a.A").values("c").tolist() == ["\0", "\ud800"]


def test_nan_and_negative_zero_survive(opened: Open) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.A", fields={"f": "float", "d": "double"})
        d.instance("a.A", f=float("nan"), d=-0.0)

    (frame,) = opened(write).objects("a.A").to_frame("f", "d").to_dict("records")
    assert np.isnan(frame["f"])
    assert struct.pack(">d", frame["d"]) == struct.pack(">d", -0.0)


def test_where_a_field_lies(opened: Open) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.A", fields={"x": "int"})
        d.instance("a.A", x=7)

    heap = opened(write)
    assert [each.name for each in class_chain(heap.graph, heap.classes["a.A"])] == ["a.A", "java.lang.Object"]
    index = next(i for i, each in enumerate(heap.classes) if each.name == "a.A")
    (place,) = class_fields(heap.graph, index).places
    assert (place.name, place.offset, place.byte_count, place.declared_in) == ("x", 0, 4, "a.A")
