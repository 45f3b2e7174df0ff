"""How much of a broken dump was read, in figures and in lines."""

from __future__ import annotations

from heapscope.parser.broken.coverage import Coverage, Gap


def test_lines_of_a_coverage() -> None:
    whole = Coverage(
        read_bytes=1000,
        expected_bytes=1000,
        is_end_known=True,
        gaps=(),
        parts=0,
        object_count=3,
        unknown_class_objects=0,
        unnamed_classes=0,
        broken_chain_classes=0,
        duplicate_objects=0,
        has_roots=True,
    )
    assert whole.summary == "partial dump: 100 % of it read (3 objects)"
    almost = Coverage(
        read_bytes=99_999,
        expected_bytes=100_000,
        is_end_known=False,
        gaps=tuple(Gap(at, 1, "damaged") for at in range(8)),
        parts=2,
        object_count=3,
        unknown_class_objects=4,
        unnamed_classes=8,
        broken_chain_classes=5,
        duplicate_objects=6,
        has_roots=False,
        dangling_references=7,
    )
    text = "\n".join(almost.lines())
    assert "at most 99.9 %" in text
    for part in (
        "3 more places",
        "2 parts",
        "no GC root",
        "4 objects of",
        "5 classes",
        "6 records",
        "7 references",
    ):
        assert part in text
