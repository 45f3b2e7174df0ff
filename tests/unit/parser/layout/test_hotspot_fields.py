"""Rules by which HotSpot places fields; sizes of whole classes are in ``test_layout.py``."""

from __future__ import annotations

import pytest

from heapscope.parser.layout.hotspot_fields import (
    CONTENDED_FIELDS,
    INJECTED_FIELDS,
    FieldLayout,
    OwnFields,
    align_up,
    feature_release,
    place_fields_before_15,
    place_fields_since_15,
)
from heapscope.parser.tags import BasicType
from tests.unit.parser.layout.test_layout import java_class

EMPTY = FieldLayout(end_bytes=12, fields_end_bytes=12)


def test_align_up() -> None:
    assert [align_up(n, 8) for n in (0, 1, 8, 9)] == [0, 8, 8, 16]


def test_since_15_small_fields_fill_the_gap_in_front_of_a_long() -> None:
    found = place_fields_since_15(EMPTY, OwnFields(primitives=[8, 2, 1]), 4, is_reference_run_kept=False)
    assert found.fields_end_bytes == 24
    assert found.gaps == ((15, 1),)
    below = place_fields_since_15(found, OwnFields(primitives=[1]), 4, is_reference_run_kept=False)
    assert (below.fields_end_bytes, below.gaps) == (24, ())


def test_before_15_a_subclass_begins_behind_its_superclass() -> None:
    found = place_fields_before_15(EMPTY, OwnFields(primitives=[1]), 4)
    assert found.end_bytes == 16
    assert place_fields_before_15(found, OwnFields(primitives=[1]), 4).end_bytes == 20


@pytest.mark.parametrize("is_kept", [True, False])
def test_jdk_25_keeps_references_together(is_kept: bool) -> None:
    above = place_fields_since_15(EMPTY, OwnFields(reference_count=1), 4, is_reference_run_kept=is_kept)
    assert above.ends_with_reference
    own = OwnFields(primitives=[4], reference_count=1)
    below = place_fields_since_15(above, own, 4, is_reference_run_kept=is_kept)
    assert below.ends_with_reference == (not is_kept)


def test_tables_name_types_and_ranges_of_releases() -> None:
    kinds = {"address", "reference", *(code.name for code in BasicType)}
    for rows in INJECTED_FIELDS.values():
        for row in rows:
            assert row.kind in kinds
            assert row.first_release <= row.last_release
    for each in CONTENDED_FIELDS.values():
        assert all(row.is_whole_class or row.groups for row in each)


def test_the_release_comes_from_classes_of_the_boot_loader() -> None:
    unsafe = java_class(1, "jdk.internal.misc.Unsafe")
    assert feature_release([unsafe])[0] == 11
    assert feature_release([java_class(1, "jdk.internal.misc.Unsafe", loader_id=9)])[0] == 8
    assert feature_release([unsafe, java_class(2, "java.util.SequencedCollection")])[0] == 21
