"""The real reader against the naive one, on random dumps of every version, layout and packing."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.parser.tags import ROOT_KIND_NAMES
from tests.support.oracle import PRIMITIVES, OracleHeap, read_oracle
from tests.support.strategies import SavedDump, random_dumps

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
CLASS = "java.lang.Class"


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def class_of(oracle: OracleHeap, object_id: int) -> str:
    """Class of an object or class object, empty where the id leads nowhere."""
    return CLASS if object_id in oracle.classes else oracle.object_classes.get(object_id, "")


def check_counts(heap: heapscope.Heap, oracle: OracleHeap) -> None:
    frame = heap.class_histogram()
    assert list(frame.columns) == ["class_name", "instance_count", "shallow_bytes"]
    counts = oracle.instance_counts
    if oracle.classes:
        counts[CLASS] += len(oracle.classes)
    assert dict(zip(frame["class_name"], frame["instance_count"], strict=True)) == dict(counts)
    assert heap.object_count == counts.total()
    assert frame["shallow_bytes"].sum() == heap.shallow_bytes


def check_sizes_add_up(heap: heapscope.Heap) -> None:
    """The sum over single objects is the histogram's row, class by class."""
    by_class: Counter[str] = Counter()
    columns = heap.columns
    for index, units in zip(columns.class_index.tolist(), columns.size_units.tolist(), strict=True):
        by_class[heap.classes[index].name] += units * columns.unit_bytes
    frame = heap.class_histogram()
    assert dict(zip(frame["class_name"], frame["shallow_bytes"], strict=True)) == dict(by_class)


def check_classes(heap: heapscope.Heap, oracle: OracleHeap) -> None:
    # A class that the dump needs but does not have (java.lang.Class, here) is made up with id 0.
    assert {each.class_id for each in heap.classes} - {0} == set(oracle.loaded)
    for class_id, name in oracle.loaded.items():
        found = heap.classes.with_id(class_id)
        assert found is not None
        assert found.name == name
        expected = oracle.classes.get(class_id)
        assert found.is_dumped == (expected is not None)
        if expected is None:
            continue
        assert found.super_id == expected.super_id
        assert found.loader_id == expected.loader_id
        assert found.declared_bytes == expected.declared_bytes
        assert [(field.name, int(field.type)) for field in found.fields] == expected.fields
        assert [(s.name, int(s.type), s.value) for s in found.statics] == expected.statics


def check_roots(heap: heapscope.Heap, oracle: OracleHeap) -> None:
    frame = heap.gc_roots
    columns = ["kind", "object_id", "class_name", "thread_serial", "frame_number"]
    rows = Counter(tuple(row) for row in frame[columns].astype(object).values.tolist())
    expected: Counter[tuple[object, ...]] = Counter()
    for root in oracle.roots:
        # The last u4 of a thread object is its stack trace, no frame; -1 stands for none.
        has_frame = root.frame is not None and root.tag != 0x08
        number = root.frame if has_frame and root.frame != 0xFFFFFFFF else -1
        kind = ROOT_KIND_NAMES[root.tag]
        expected[
            (kind, root.object_id, class_of(oracle, root.object_id), root.thread_serial or 0, number)
        ] += 1
    assert rows == expected
    for object_id, index in zip(frame["object_id"], frame["object_index"], strict=True):
        assert (index >= 0) == bool(class_of(oracle, object_id))
        assert heap.index_of(int(object_id)) == index


def check_objects(heap: heapscope.Heap, oracle: OracleHeap) -> None:
    ids = heap.columns.object_ids.tolist()
    assert ids == sorted({*oracle.object_classes, *oracle.classes})
    for object_id, name in oracle.object_classes.items():
        found = heap.object_at(object_id)
        assert found.class_name == name
        if object_id in oracle.instances:
            expected = {field: value for field, _, value in oracle.field_values(object_id)}
            assert list(found.fields()) == list(expected)
            assert all(same(value, expected[field]) for field, value in found.fields().items())
        elif object_id in oracle.object_arrays:
            assert found.element_ids().tolist() == oracle.references(object_id)
        else:
            code, count, data = oracle.primitive_arrays[object_id]
            elements = found.elements()
            assert elements.size == (0 if data is None else count)
            assert found.class_name == PRIMITIVES[code] + "[]"
            if data is not None:
                assert elements.astype(elements.dtype.newbyteorder(">")).tobytes() == data


@SETTINGS
@given(random_dumps())
def test_what_was_written_is_read(tmp_path: Path, saved: SavedDump) -> None:
    path = saved.save(tmp_path)
    truth, oracle = saved.dump.truth, read_oracle(path)
    assert oracle.object_classes == truth.objects
    with heapscope.open(path) as heap:
        assert heap.format_version == oracle.version == saved.options["version"]
        assert heap.identifier_bytes == oracle.identifier_bytes
        assert heap.dump_bytes == len(saved.dump.data)
        assert round(heap.captured_at.timestamp() * 1000) == oracle.timestamp_ms
        check_counts(heap, oracle)
        check_classes(heap, oracle)
        check_roots(heap, oracle)
        check_objects(heap, oracle)
        check_sizes_add_up(heap)
        assert {key: heap.object_at(key).text() for key in truth.strings} == truth.strings
        threads = {thread.serial: thread for thread in heap.threads()}
        assert set(threads) == {thread.thread_serial for thread in truth.threads}
        for thread in truth.threads:
            found = threads[thread.thread_serial]
            assert found.object_id == thread.object_id
            assert found.name == (thread.name if thread.object_id else "<unnamed>")
            shown = [(frame.class_name, frame.method, frame.line) for frame in found.frames]
            assert shown == list(thread.frames)


@SETTINGS
@given(random_dumps(max_objects=6), st.data())
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_damage_is_never_another_exception(tmp_path: Path, saved: SavedDump, data: st.DataObject) -> None:
    """Some bytes changed anywhere: an error of heapscope's own, or answers; never anything else."""
    path = saved.save(tmp_path)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from([0, 1, 2, 0x21, 0x7F, 0xFF]))
    path.write_bytes(raw)
    message = ""
    try:
        with heapscope.open(path) as heap:
            frame = heap.class_histogram()
            assert (frame["instance_count"] >= 0).all()
            assert len(heap.columns.object_ids) <= len(raw) if saved.gzip == "no" else True
            heap.gc_roots.to_dict()
            heap.classes.to_frame()
            heap.threads()
            heap.environment()
            heap.system_properties()
            for index in range(len(heap.columns.object_ids)):
                found = heap.object_at(int(heap.columns.object_ids[index]))
                found.fields()
                found.elements()
                found.element_ids()
                found.text()
    except heapscope.HprofError as error:
        message = str(error)
        assert message.startswith(str(path))
    assert "\n" not in message
