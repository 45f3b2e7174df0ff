"""What a redactor remembers: names with their uses, and where values lie."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from heapscope.parser import kernels
from heapscope.parser.redaction.kernels import END_SPAN, FIRST_SPAN, LENGTH
from heapscope.parser.redaction.names import NameHider
from heapscope.parser.redaction.tables import Names, SpanTable
from heapscope.parser.tags import RecordTag
from heapscope.parser.writer import HprofWriter


def spans_of(table: SpanTable, class_id: int) -> tuple[list[list[int]], int]:
    (row,) = table.table[table.table[:, kernels.KEY] == class_id]
    return table.spans[int(row[FIRST_SPAN]) : int(row[END_SPAN])].tolist(), int(row[LENGTH])


def test_spans_of_many_classes_are_found_again() -> None:
    table = SpanTable()
    for number in range(1, 3000):
        table.add(8 * number, [[number, 4], [number + 10, 8]], number)
    for number in (1, 2, 513, 2999):
        assert spans_of(table, 8 * number) == ([[number, 4], [number + 10, 8]], number)
    table.add(7, [], 5)
    assert spans_of(table, 7) == ([], 5)


@pytest.mark.parametrize("width", [4, 8])
def test_only_names_in_use_are_given_out(width: int) -> None:
    out = io.BytesIO()
    writer = HprofWriter(out, identifier_bytes=width)
    used, unused = writer.string("com/acme/Order"), writer.string("a literal")
    writer.load_class(1, 0x100, used)
    data = np.frombuffer(out.getvalue(), np.uint8)
    identifier = struct.Struct(">Q" if width == 8 else ">I")
    names = Names()
    read = names.read(data, 31, width)
    assert data[31 + read] == RecordTag.LOAD_CLASS
    assert names.wanted(identifier, None) == []
    names.note(RecordTag.LOAD_CLASS, data[31 + read + 9 :].tobytes(), identifier)
    assert names.class_name(0x100) == "com/acme/Order"
    assert names.text(unused) == "a literal"
    (record,) = names.wanted(identifier, None)
    assert record == data[31 : 31 + len(record)].tobytes()
    assert names.wanted(identifier, None) == []


def test_names_of_the_jdk_are_not_hidden_and_heaps_are_known_ones() -> None:
    out = io.BytesIO()
    writer = HprofWriter(out)
    own, shared, heap = writer.string("secretField"), writer.string("size"), writer.string("my heap")
    names = Names()
    data = np.frombuffer(out.getvalue(), np.uint8)
    names.read(data, 31, 8)
    names.use(own, "field", is_public=False)
    names.use(shared, "field", is_public=False)
    names.use(shared, "field", is_public=True)
    names.use(heap, "heap", is_public=True)
    found = [record[9 + 8 :] for record in names.wanted(struct.Struct(">Q"), NameHider(b"k" * 16))]
    assert b"secretField" not in found
    assert b"size" in found
    assert b"heap" in found
