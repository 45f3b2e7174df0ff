"""What instance records hold, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heapscope.parser.instance_data import ReferenceFields, field_bytes, is_circle, own_bytes, super_chain
from heapscope.parser.records import Field, JavaClass, loaded_class
from heapscope.parser.tags import BasicType

OBJECT, INT, LONG = BasicType.OBJECT, BasicType.INT, BasicType.LONG


def java_class(class_id: int, super_id: int, types: Sequence[BasicType]) -> JavaClass:
    return JavaClass(
        class_id=class_id,
        name=f"C{class_id}",
        super_id=super_id,
        loader_id=0,
        signers_id=0,
        protection_domain_id=0,
        declared_bytes=0,
        fields=tuple(Field(f"f{i}", kind) for i, kind in enumerate(types)),
        statics=(),
        offset=1,
    )


CLASSES = {
    1: java_class(1, 0, ()),
    2: java_class(2, 1, (INT, OBJECT)),
    3: java_class(3, 2, (OBJECT, LONG, OBJECT)),
    4: java_class(4, 99, (OBJECT,)),  # its superclass is not in the dump
    5: java_class(5, 6, ()),
    6: java_class(6, 5, (INT,)),
    7: loaded_class(7, "OnlyLoaded"),
}


def test_chains_of_superclasses() -> None:
    chains = {i: [c.class_id for c in super_chain(CLASSES, i)] for i in (3, 4, 5, 1000)}
    assert chains == {3: [3, 2, 1], 4: [4], 5: [5, 6], 1000: []}
    assert [i for i in CLASSES if is_circle(CLASSES, i)] == [5, 6]


@pytest.mark.parametrize("width", [4, 8])
def test_bytes_of_all_fields(width: int) -> None:
    own = own_bytes(CLASSES, width)
    assert own == {1: 0, 2: 4 + width, 3: 8 + 2 * width, 4: width, 5: 0, 6: 4}
    assert field_bytes(CLASSES, own, 3) == (12 + 3 * width, True)
    assert field_bytes(CLASSES, own, 4) == (width, False)
    assert not field_bytes(CLASSES, own, 5)[1]


@pytest.mark.parametrize("width", [4, 8])
def test_places_of_references(width: int) -> None:
    fields = ReferenceFields(CLASSES, width)
    assert list(fields.of(3)) == [
        (0, "f0", 3),
        (width + 8, "f2", 3),
        (2 * width + 8 + 4, "f1", 2),
    ]
    assert list(fields.of(4)) == [(0, "f0", 4)]
    assert list(fields.of(5)) == []
    assert list(fields.of(1000)) == []
