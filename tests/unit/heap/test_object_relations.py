"""One object and sets of them: fields, referrers, dominators, paths with keys, conditions, tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import heapscope
from heapscope import AmbiguousName, HeapscopeError, JavaObject, ObjectNotFound, ObjectSet
from heapscope.heap import object_table
from heapscope.heap.heap import Heap
from heapscope.heap.object_table import object_order, object_tables, where
from heapscope.heap.objects.field_paths import split_path
from tests.support.dumps import DumpBuilder, build


def shop(d: DumpBuilder) -> None:
    """Three orders of two customers, who have attributes in maps and a list of orders."""
    d.cls("a.Customer", fields={"name": "String", "attrs": "Map", "value": "int", "orders": "Object[]"})
    d.cls("a.Order", fields={"customer": "Customer", "total": "double", "paid": "boolean"})
    d.cls("a.Gift", "a.Order")
    d.cls("b.Order")
    customers = [
        d.instance("a.Customer", name=name, attrs=d.hash_map({"id": f"id-{name}", "a.b": "dotted"}), value=7)
        for name in ("ann", "bob")
    ]
    orders = [
        d.instance("a.Order", customer=customers[0], total=1.5, paid=True),
        d.instance("a.Order", customer=customers[1], total=20.0),
        d.instance("a.Gift", customer=customers[1], total=3.0),
    ]
    array = d.object_array("a.Order[]", [orders[1], None, orders[2]])
    d.set(customers[1], orders=array)
    for each in orders:
        d.root("JNI_GLOBAL", each)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heap]:
    path = build(shop).save(tmp_path_factory.mktemp("shop") / "shop.hprof")
    with heapscope.open(path, use_index=False) as opened:
        yield opened


def first(heap: Heap, class_name: str) -> JavaObject:
    return heap.objects(class_name, subclasses=False)[0]


def test_fields_are_values_and_objects(heap: Heap) -> None:
    order = first(heap, "a.Order")
    assert (order["total"], order["paid"], order.paid) == (1.5, True, True)
    assert order.customer == order["customer"] == first(heap, "a.Customer")
    assert order["customer.name"] == order.customer.name == "ann"
    assert order["customer"]["attrs"] == {"id": "id-ann", "a.b": "dotted"}
    assert order["customer.attrs[id]"] == "id-ann"
    assert order.customer["orders"] is None
    bob = heap.objects("a.Customer")[1]
    assert [None if each is None else each.total for each in bob.orders] == [20.0, None, 3.0]
    assert bob["orders[2]"].class_name == "a.Gift"
    # A field that has the name of a method is had by brackets.
    assert bob["value"] == 7
    assert callable(bob.value)
    assert {"name", "attrs", "retained_bytes"} <= set(dir(bob))


def test_elements_of_arrays(heap: Heap) -> None:
    array = heap.objects("a.Order[]")[0]
    assert (array[0].total, array[1], array[-1].class_name) == (20.0, None, "a.Gift")
    with pytest.raises(IndexError, match="of 3 elements has none at 3"):
        array[3]
    with pytest.raises(TypeError, match="no array"):
        first(heap, "a.Order")[0]


def test_wrong_names_name_the_nearest(heap: Heap) -> None:
    order = first(heap, "a.Order")
    with pytest.raises(KeyError, match="nearest: total"):
        order["totl"]
    with pytest.raises(AttributeError, match="its fields: paid, total, customer"):
        order.totl  # noqa: B018
    assert not hasattr(order, "_repr_png_")
    with pytest.raises(ObjectNotFound, match="the way breaks"):
        order.customer["orders[0].total"]


def test_referrers_and_references(heap: Heap) -> None:
    bob = heap.objects("a.Customer")[1]
    held = {(each.field, each.object.class_name) for each in bob.referrers()}
    assert held == {("customer", "a.Order"), ("customer", "a.Gift")}
    assert len(bob.referrers(limit=1)) == 1
    named = {each.field: each.object.class_name for each in bob.references()}
    assert named == {
        "<class>": "java.lang.Class",
        "name": "java.lang.String",
        "attrs": "java.util.HashMap",
        "orders": "a.Order[]",
    }
    orders = heap.objects("a.Order")
    assert orders.references().class_counts()["a.Customer"] == 2
    assert heap.objects("a.Customer").referrers().class_counts() == {"a.Order": 2, "a.Gift": 1}
    (table_row, *_) = heap.objects("a.Customer").referrers_by_field().rows()
    assert (table_row["reference"], table_row["referrer_count"], table_row["target_count"]) == (
        "Order.customer", 2, 2,
    )  # fmt: skip


def test_sets_refer_to_what_their_members_refer_to(heap: Heap) -> None:
    for name in ("a.Order", "a.Customer", "a.Order[]", "java.util.HashMap"):
        objects = heap.objects(name)
        expected = {each.object.index for one in objects for each in one.references()}
        assert set(objects.references().indices.tolist()) == expected
        expected = {each.object.index for one in objects for each in one.referrers()}
        assert set(objects.referrers().indices.tolist()) == expected
        assert set(objects.dominated().indices.tolist()) == {
            each.index for one in objects for each in one.dominated()
        }


def test_dominators_and_retained_sets(heap: Heap) -> None:
    ann = heap.objects("a.Customer")[0]
    order = first(heap, "a.Order")
    assert ann.dominator == order
    assert order.dominator is None
    assert ann in order.dominated()
    assert order.retained_bytes == order.retained().shallow_bytes > ann.retained_bytes > 0
    assert [step.class_name for step in ann.paths_to_gc_roots()[0].steps] == ["a.Order", "a.Customer"]


def test_masks_pick_from_a_set(heap: Heap) -> None:
    orders = heap.objects("a.Order")
    picked = orders[orders.values("total") > 2]
    assert isinstance(picked, ObjectSet)
    assert picked.values("total").tolist() == [20.0, 3.0]
    assert len(orders[[True, False, False]]) == 1
    for wrong in ([True], np.array([0, 1, 2])):
        with pytest.raises(TypeError, match="a mask of 3 booleans"):
            orders[wrong]


def test_groups_have_exact_retained_sizes(heap: Heap) -> None:
    orders = heap.objects("a.Order")
    rows = {row["value"]: row for row in orders.group_by("customer.name", retained=True).rows()}
    for name, row in rows.items():
        mine = orders.where("customer.name", name)
        assert row["retained_bytes"] == mine.retained_bytes()
        assert row["object_count"] == len(mine)
    assert "retained_bytes" not in orders.group_by("customer.name").names


def test_paths_with_keys(heap: Heap) -> None:
    orders = heap.objects("a.Order")
    assert orders.values("customer.attrs[id]").tolist() == ["id-ann", "id-bob", "id-bob"]
    assert orders.values("customer.attrs[a.b]").tolist() == ["dotted"] * 3
    assert orders.values("customer.attrs[none]").tolist() == [None] * 3
    assert orders.values("customer.orders[2].total").tolist()[1:] == [3.0, 3.0]
    assert split_path("a.b[c.d][0].e") == ["a", "b", "[c.d]", "[0]", "e"]
    assert split_path("") == []
    assert split_path("a..b") == ["a", "", "b"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("total>2", 2), ("total >= 3", 2), ("total < 3", 1), ("total<=3", 2), ("total = 20", 1),
        ("total != 20", 2), ("paid=true", 1), ("paid!=true", 2), ("customer.name=bob", 2),
        ("customer.name='bob'", 2), ("customer.name~b*", 2), ("customer.name!=bob", 1),
        ("customer.attrs[id]=id-ann", 1), ("customer.orders=null", 1), ("customer.orders!=null", 2),
    ],
)  # fmt: skip
def test_conditions(heap: Heap, condition: str, expected: int) -> None:
    assert len(where(heap.objects("a.Order"), condition)) == expected


def test_an_address_is_a_condition(heap: Heap) -> None:
    ann = heap.objects("a.Customer")[0]
    assert len(where(heap.objects("a.Order"), f"customer=0x{ann.object_id:x}")) == 1
    with pytest.raises(HeapscopeError, match="is no condition; write a field"):
        where(heap.objects("a.Order"), "customer")


def test_a_table_has_what_retains_most_first(heap: Heap) -> None:
    orders = heap.objects("a.Order")
    (table,) = object_tables(orders, ["customer.name", "total"], object_order(orders))
    sizes = table.column("retained_bytes")
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3
    assert set(table.column("customer.name")) == {"ann", "bob"}
    for place, address in enumerate(table.column("address")):
        assert heap.object_at(int(address, 16))["total"] == table.column("total")[place]
    addresses = [f"0x{each:x}" for each in orders.object_ids.tolist()]
    (by_address,) = object_tables(orders, [], object_order(orders, "address"))
    assert by_address.column("address") == addresses
    (by_total,) = object_tables(orders, ["total"], object_order(orders, "total"))
    assert by_total.column("total") == sorted(table.column("total"), reverse=True)
    assert [len(each) for each in object_tables(orders, ["total"], object_order(orders)[:0])] == [0]


def test_objects_come_in_pieces_that_make_one_table(heap: Heap, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = heap.objects("a.Order")
    for by in ("retained_bytes", "customer.name", "class_name"):
        order = object_order(orders, by)
        (whole,) = object_tables(orders, ["customer.name"], order)
        monkeypatch.setattr(object_table, "PIECE_ROWS", 2)
        assert object_order(orders, by).tolist() == order.tolist()
        pieces = list(object_tables(orders, ["customer.name"], order))
        assert [len(piece) for piece in pieces] == [2, 1]
        assert [row for piece in pieces for row in piece.rows()] == list(whole.rows())
        monkeypatch.undo()


def test_classes_take_the_names_that_objects_take(heap: Heap) -> None:
    assert heap.classes["Gift"].name == heap.classes["a.G*"].name == "a.Gift"
    with pytest.raises(AmbiguousName, match=r"a\.Order and b\.Order"):
        heap.classes["Order"]
    with pytest.raises(ObjectNotFound, match=r"a\.Gift"):
        heap.classes["a.Gitf"]


def test_answers_are_short_and_become_frames(heap: Heap) -> None:
    suspects = heap.suspects(0.0001)
    assert suspects[0] == next(iter(suspects))
    assert len(suspects.to_frame()) == len(suspects) > 0
    merged = heap.objects("a.Customer").paths_to_gc_roots()
    frame = merged.to_frame()
    assert frame["label"][0] == merged.holders[0].label
    assert heap.dominators().to_frame(2).shape[0] == 2
    assert list(heap.threads().to_frame()) == [
        "name", "object_id", "serial", "is_daemon", "priority", "frame_count", "top_frame",
    ]  # fmt: skip
    diagnosis = heapscope.diagnose(heap)
    assert len(diagnosis.to_frame()) == len(diagnosis.findings)
    for each in (
        suspects,
        merged,
        heap.dominators(),
        diagnosis,
        heap.reachability(),
        heap.objects("a.Order"),
    ):
        assert repr(each).startswith("<")
        assert "\n" not in repr(each)
        assert len(repr(each)) < 200
    assert "strong" in str(heap.reachability())
    assert "objects" in dir(heap)
    assert not [name for name in dir(heap) if name.startswith("_")]
