"""Cards of objects: classes, fields, texts; nothing object by object."""

from __future__ import annotations

from typing import Any

import heapscope
from tests.unit.reporter.notebook.conftest import BAD, page


def test_a_set_of_objects_is_its_classes(heap: Any) -> None:
    everything = heap.objects("*")
    assert page(everything).text.startswith(f"Objects of {len(everything.class_counts())} classes")
    caches = heap.objects("app.Cache")
    text = page(caches).text
    assert "Objects of app.Cache" in text
    assert "4 objects" in text
    assert "retained together" not in text  # not computed for a look
    size = caches.retained_bytes()
    assert f"{heapscope.units.format_bytes(size)} retained together" in page(caches).text
    assert "No objects" in page(caches - caches).text


def test_nothing_is_printed_object_by_object(heap: Any) -> None:
    assert len(heap.objects("*")._repr_html_()) < 10_000
    assert f"0x{heap.objects('app.Cache')[0].object_id:x}" not in heap.objects("app.Cache")._repr_html_()


def test_an_object_is_its_fields_and_a_string_its_text(heap: Any) -> None:
    one = heap.objects(f"app.{BAD}")[3]
    found = page(one).text
    assert "count int 3" in found
    assert "<script>alert(1)</script>" in found  # as text
    assert "characters" in page(one.follow("name")).text
    array = heap.objects("java.lang.Object[]")[0]
    text = page(array).text
    assert "40 elements" in text
    assert "and 32 more" in text
