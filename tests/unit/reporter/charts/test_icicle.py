"""The picture of the ways from the GC roots: where steps lie, and that names in it do nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from heapscope.heap.retention.holders import Holder
from heapscope.reporter.charts.icicle import ROW, WIDTH, boxes, holder_picture
from heapscope.reporter.diagnosis import FindingSection, HolderNode, _from_static, _last_static

WAYS = (
    HolderNode(
        "FileSystem.CACHE (static)", 50, 9_000_000, (HolderNode("FileSystem$Cache.map", 50, 9_000_000),)
    ),
    HolderNode("JNI global", 40, 7_200_000),
    HolderNode("Rare.way", 10),
)
FINDING = FindingSection(
    id="x", title="x", confidence="certain", class_name="a.FileSystem", unit=("fs", "fs"), counts=(50,),
    instance_count=50, retained_bytes=1, bytes_each=1.0, share=0.5, per_hour=None,
    per_hour_low=None, per_hour_high=None, bytes_per_hour=None,
    since="", since_is_estimate=False, held_by=("50 x CACHE", "40 x JNI global"), holders=WAYS,
    target="FileSystem",
    why="", cure=(), healthy="", affected=(), sources=(), evidence=(), file_systems=(), values=(),
)  # fmt: skip


def test_widths_are_shares_and_rows_do_not_overlap() -> None:
    found = boxes(WAYS, "FileSystem")
    by_label = {(box.label, box.row): box for box in found}
    assert by_label["FileSystem.CACHE (static)", 1].width == pytest.approx(WIDTH / 2)
    assert by_label["JNI global", 1].width == pytest.approx(WIDTH * 0.4)
    assert by_label["FileSystem", 3].member_count == 50
    assert by_label["FileSystem", 2].kind == "member"
    for row in range(4):
        of_row = sorted((box for box in found if box.row == row), key=lambda box: box.x)
        assert of_row
        for left, right in pairwise(of_row):
            assert left.x + left.width <= right.x + 1e-6
        assert of_row[-1].x + of_row[-1].width <= WIDTH + 1e-6


def test_the_picture_is_well_formed_and_says_what_it_shows() -> None:
    picture = ET.fromstring(holder_picture(FINDING))
    # The line of what is held has a second line, for its size.
    assert picture.get("viewBox") == f"0 0 {WIDTH} {4 * ROW + 17}"
    assert picture.get("aria-label") == "What holds them, from the GC roots down: 50 x CACHE; 40 x JNI global"
    assert [title.text for title in picture.iter("title")][:2] == [
        "GC roots",
        "50 x FileSystem.CACHE (static), 9.00 MB",
    ]
    sizes = [text.text for text in picture.iter("text") if text.get("class") == "size"]
    assert (
        sizes.count("9.00 MB") == 2
    )  # of FileSystem$Cache.map, and of what it holds; the first name is too long
    assert sizes.count("7.20 MB") == 2


def test_long_and_hostile_names_stay_inside() -> None:
    name = "<script>alert(1)</script>" + "x" * 500
    picture = holder_picture(replace(FINDING, holders=(HolderNode(name, 50),), target="T"))
    assert "<script" not in picture
    texts = [text.text or "" for text in ET.fromstring(picture).iter("text")]
    assert max(map(len, texts)) <= WIDTH / 7
    assert texts[1].startswith("…")


def test_a_way_begins_at_its_last_static_field() -> None:
    line = (
        "40 x Loader.classes -> Object[] -> A.first (static) -> FileSystem.CACHE (static) -> Cache.map -> X"
    )
    assert _from_static(line) == "40 x FileSystem.CACHE (static) -> Cache.map -> X"
    assert _from_static("40 x JNI global") == "40 x JNI global"
    end = Holder("Cache.map", 40, 0, 1)
    static = Holder("FileSystem.CACHE (static)", 40, 0, 1, (end,))
    assert _last_static(Holder("Loader.classes", 40, 0, 1, (static,))) is static
    fork = Holder("Loader.classes", 50, 0, 1, (static, Holder("B.other (static)", 10, 0, 1)))
    assert _last_static(fork) is fork
    assert _last_static(end) is end


def test_nothing_known_nothing_drawn() -> None:
    assert holder_picture(replace(FINDING, holders=())) == ""
