"""What the passes over segments know of the classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.parser import kernels
from heapscope.parser.class_tables import class_tables_of
from heapscope.parser.layout.layout import instance_bytes
from heapscope.parser.segments import class_list
from heapscope.parser.tags import BasicType, instance_head_bytes
from tests.support.dumps import DumpBuilder
from tests.unit.parser.small import scanned


def heap() -> DumpBuilder:
    d = DumpBuilder()
    d.cls("a.Base", fields={"n": "int", "base": "Object"})
    d.cls("a.Node", "a.Base", fields={"next": "a.Node", "flag": "boolean", "referent": "Object"})
    d.instance("a.Node")
    d.primitive_array("long", [1])
    return d


@pytest.mark.parametrize("is_followed", [True, False])
def test_tables_of_a_small_heap(tmp_path: Path, is_followed: bool) -> None:
    with scanned(heap().dump().save(tmp_path / "d.hprof")) as (_, found):
        classes = class_list(found)
        names = [each.name for each in classes]
        node = names.index("a.Node")
        tables = class_tables_of(
            found, classes, found.layout, 8, {node: (classes[node].class_id, is_followed)}
        )
    head = instance_head_bytes(8)
    slots = tables.slots[tables.slot_starts[node] : tables.slot_starts[node + 1]].tolist()
    # next (8), flag (1), referent (8), then n (4) and base (8) of the superclass.
    assert slots == [head, head + 8 + 1 + 8 + 4]
    assert tables.referent_slots[node] == (head + 9 if is_followed else -(head + 9))
    assert tables.class_class == names.index("java.lang.Class")
    assert tables.primitive_class[BasicType.LONG] == names.index("long[]")
    sizes = instance_bytes(found.layout, found.classes)
    rows = {row[kernels.KEY]: row for row in tables.table.tolist() if row[kernels.KEY]}
    for index, java_class in enumerate(classes):
        if java_class.class_id:
            row = rows.pop(java_class.class_id)
            assert row[kernels.CLASS_INDEX] == index
            assert row[kernels.INSTANCE_UNITS] == sizes.get(java_class.class_id, 0) // 8
    assert not rows
