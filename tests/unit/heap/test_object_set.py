"""Sets of objects: fields followed, values decoded, filtered, grouped, combined."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heapscope
from heapscope.errors import ObjectNotFound
from heapscope.heap.heap import Heap
from heapscope.heap.object_set import JavaObject, ObjectSet
from tests.support.dumps import DumpBuilder, build


def leak(d: DumpBuilder) -> None:
    """Six keys of three users: one user has no subject, one key no user, one leads nowhere."""
    d.cls("a.Key", fields={"scheme": "String", "port": "int", "weight": "double", "user": "Object"})
    d.cls("a.User", fields={"subject": "Object", "name": "String", "tags": "List"})
    d.cls("a.Subject")
    d.cls("java.util.ArrayList", fields={"elementData": "Object[]", "size": "int"})
    subjects = [d.instance("a.Subject") for _ in range(2)]
    tags = [
        d.instance("java.util.ArrayList", elementData=d.object_array("java.lang.Object[]", [text]), size=1)
        for text in ("x", "y")
    ]
    users = [d.instance("a.User", subject=subjects[i], name=f"user{i}", tags=tags[i]) for i in range(2)]
    users.append(d.instance("a.User", name="user2"))
    for number, user in enumerate([users[0], users[0], users[1], users[2], 0, 0xDEAD0]):
        scheme = "hdfs" if number < 4 else "file"
        d.instance("a.Key", scheme=scheme, port=8020 + number % 2, weight=number / 2, user=user)


@pytest.fixture
def heap(tmp_path: Path) -> Iterator[Heap]:
    with heapscope.open(build(leak).save(tmp_path / "d.hprof")) as opened:
        yield opened


@pytest.fixture
def keys(heap: Heap) -> ObjectSet:
    return heap.objects("a.Key")


def test_field_gives_each_object_once(heap: Heap, keys: ObjectSet) -> None:
    assert keys.field("user").class_counts() == {"a.User": 3}
    assert keys.field("user.subject").class_counts() == {"a.Subject": 2}
    assert (keys.field("user.subject") - heap.objects("a.Subject")).indices.size == 0
    assert len(keys.field("user.subject").field("")) == 2


def test_values_are_in_the_order_of_the_set(keys: ObjectSet) -> None:
    assert keys.values("port").tolist() == [8020, 8021] * 3
    assert keys.values("port").dtype == np.int32
    assert keys.values("scheme").tolist() == ["hdfs"] * 4 + ["file"] * 2
    assert keys.values("user.name").tolist() == ["user0", "user0", "user1", "user2", None, None]
    users = keys.values("user").tolist()
    assert isinstance(users[0], JavaObject)
    assert users[0] == users[1] != users[2]
    assert users[4:] == [None, None]


def test_lists_of_one_length_stay_lists(keys: ObjectSet) -> None:
    assert keys.values("user.tags").tolist() == [["x"], ["x"], ["y"], None, None, None]
    assert keys[:1].values("user.tags").tolist() == [["x"]]


def test_the_empty_path_is_the_object_itself(heap: Heap, keys: ObjectSet) -> None:
    assert set(heap.objects("java.lang.String").values()) >= {"hdfs", "file", "user0"}
    assert keys.values().tolist() == list(keys)


def test_to_frame(keys: ObjectSet) -> None:
    frame = keys.to_frame("scheme", "user.subject", "weight")
    assert list(frame.columns) == [
        *("object_id", "class_name", "shallow_bytes", "scheme", "user.subject", "weight")
    ]
    assert frame["object_id"].tolist() == keys.object_ids.tolist()
    assert frame["class_name"].tolist() == ["a.Key"] * 6
    assert int(frame["shallow_bytes"].sum()) == keys.shallow_bytes
    assert frame["weight"].tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert frame.groupby("scheme").size().to_dict() == {"file": 2, "hdfs": 4}


@pytest.mark.parametrize(
    ("path", "wanted", "picked"),
    [
        ("scheme", "hdfs", [0, 1, 2, 3]),
        ("port", 8021, [1, 3, 5]),
        ("port", "8021", []),
        ("port", 2**70, []),
        ("weight", lambda weight: weight > 1, [3, 4, 5]),
        ("user.name", lambda name: name.endswith("0"), [0, 1]),
        ("user.tags", ["y"], [2]),
        ("user.subject", None, [3, 4, 5]),
        ("user", None, [4, 5]),
        ("port", None, []),
        ("scheme", lambda _: False, []),
    ],
)
def test_where(keys: ObjectSet, path: str, wanted: Any, picked: list[int]) -> None:
    assert keys.where(path, wanted).indices.tolist() == keys.indices[picked].tolist()


def test_where_by_identity(keys: ObjectSet) -> None:
    user = keys.values("user")[0]
    assert len(keys.where("user", user)) == 2
    assert len(keys.where("", keys[3])) == 1


def test_group_by_value(keys: ObjectSet) -> None:
    by_scheme = keys.group_by("scheme")
    assert by_scheme.column("value") == ["hdfs", "file"]
    assert by_scheme.column("object_count") == [4, 2]
    assert sum(by_scheme.column("shallow_bytes")) == keys.shallow_bytes
    assert keys.group_by("port").column("value") == [8020, 8021]
    assert len(keys.group_by("weight")) == 6


def test_group_by_identity(keys: ObjectSet) -> None:
    by_subject = keys.group_by("user.subject")
    assert by_subject.column("object_count") == [3, 2, 1]
    missing, first, second = by_subject.column("value")
    assert missing is None
    assert first.class_name == second.class_name == "a.Subject"
    assert first != second
    assert by_subject.to_frame()["object_count"].sum() == 6
    # Two lists are two groups, whatever is in them.
    assert [type(each) for each in keys.group_by("user.tags").column("value")[1:]] == [JavaObject] * 2


def test_equal_texts_are_one_group(heap: Heap) -> None:
    strings = heap.objects("java.lang.String")
    grouped = dict(
        zip(*(strings.group_by("").column(name) for name in ("value", "object_count")), strict=True)
    )
    assert grouped["hdfs"] == 4
    assert sum(grouped.values()) == len(strings)


def test_sets_combine(heap: Heap, keys: ObjectSet) -> None:
    users = heap.objects("a.User")
    both = keys | users
    assert len(both) == 9
    assert np.all(np.diff(both.indices) > 0)
    assert (both & users).indices.tolist() == users.indices.tolist()
    assert (both - users).indices.tolist() == keys.indices.tolist()
    assert len(keys & users) == 0
    assert not keys - keys


def test_sets_of_two_heaps_do_not_combine(keys: ObjectSet, tmp_path: Path) -> None:
    with heapscope.open(build(leak).save(tmp_path / "other.hprof")) as other:
        theirs = other.objects("a.Key")
        with pytest.raises(ValueError, match="two heaps"):
            keys | theirs
        assert theirs[0] not in keys
        assert theirs[0] != keys[0]


def test_positions_and_slices(keys: ObjectSet) -> None:
    assert keys[0].index == int(keys.indices[0])
    assert keys[-1] == list(keys)[-1]
    assert len(keys[1:3]) == 2
    assert np.all(np.diff(keys[::-1].indices) > 0)
    assert keys[2] in keys[1:3]
    assert keys[0] not in keys[1:3]
    assert "a.Key" not in keys
    with pytest.raises(IndexError):
        keys[6]


def test_sample(keys: ObjectSet) -> None:
    assert len(keys.sample(3)) == 3
    assert keys.sample(3).indices.tolist() == keys.sample(3).indices.tolist()
    assert keys.sample(100).indices.tolist() == keys.indices.tolist()
    assert (keys.sample(4) - keys).indices.size == 0


@pytest.mark.parametrize("path", ["shceme", "user.nam", "user.subject.x", "scheme.x.y", ".", "user."])
def test_a_wrong_name_is_an_error(keys: ObjectSet, path: str) -> None:
    for call in (keys.field, keys.values, keys.to_frame, keys.group_by, lambda p: keys.where(p, 1)):
        with pytest.raises(ObjectNotFound):
            call(path)


def test_errors_name_the_nearest(keys: ObjectSet) -> None:
    with pytest.raises(ObjectNotFound, match="nearest: scheme"):
        keys.values("shceme")
    with pytest.raises(ObjectNotFound, match=r"fields of a\.User .*nearest: name"):
        keys.values("user.nam")


def test_a_number_is_no_reference(keys: ObjectSet) -> None:
    with pytest.raises(ValueError, match=r"'port' .*type int; values\('port'\)"):
        keys.field("port")


def test_an_empty_set_has_empty_answers(keys: ObjectSet) -> None:
    nothing = keys - keys
    assert nothing.values("whatever").tolist() == []
    assert len(nothing.field("whatever")) == 0
    assert len(nothing.to_frame("whatever")) == 0
    assert len(nothing.group_by("whatever")) == 0
    assert nothing.shallow_bytes == 0
    assert repr(nothing) == "<0 objects of 0 classes, 0 bytes>"


def test_an_object_is_itself(heap: Heap, keys: ObjectSet) -> None:
    assert keys[0] == heap.object_at(keys[0].object_id)
    assert len({*keys, *keys}) == 6
    assert keys[0] != keys[0].object_id


def test_reading_one_object(keys: ObjectSet) -> None:
    key = keys[0]
    assert key.get("port") == 8020
    assert key.get("nothing") is None
    assert key.reference_ids("user", "port", "nothing") == (key.get("user"), 0, 0)
    name = key.follow("user", "name")
    assert name is not None
    assert name.text() == name.value() == "user0"
    assert key.follow("port") is None
    assert keys[5].follow("user") is None


def test_a_name_cannot_steer_whoever_prints_it(tmp_path: Path) -> None:
    def write(d: DumpBuilder) -> None:
        d.cls("a.\x1b[2J\u202eX")
        d.instance("a.\x1b[2J\u202eX")
        d.string("\x1b[2J")

    with heapscope.open(build(write).save(tmp_path / "d.hprof")) as heap:
        hostile = heap.objects("a.*", subclasses=False)
        texts = [repr(hostile), repr(hostile[0]), *map(repr, heap.objects("java.lang.String"))]
    assert all(text.isprintable() for text in texts)
    assert "2J" in texts[0]
