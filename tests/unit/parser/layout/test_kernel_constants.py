"""The constants of the kernels follow the format and the layout."""

from __future__ import annotations

import pytest

from heapscope.parser import kernels
from heapscope.parser.layout.kernel_constants import kernel_constants
from heapscope.parser.layout.layout import infer_layout
from heapscope.parser.tags import SUB_RECORD_BODIES, BasicType, SubRecordTag

GUESS = infer_layout({}, identifier_bytes=8, address_bits=0, object_count=0, format_version="1.0.2")


@pytest.mark.parametrize("width", [4, 8])
def test_what_the_format_says(width: int) -> None:
    found = kernel_constants(width, GUESS)
    fixed = {tag for tag in range(256) if found[kernels.FIXED_BYTES + tag]}
    assert fixed == set(SUB_RECORD_BODIES)
    assert found[kernels.FIXED_BYTES + SubRecordTag.ROOT_JNI_GLOBAL] == 1 + 2 * width
    assert found[kernels.FIXED_BYTES + SubRecordTag.ROOT_THREAD_OBJECT] == 9 + width
    types = {code for code in range(256) if found[kernels.TYPE_BYTES + code]}
    assert types == set(BasicType)
    assert found[kernels.TYPE_BYTES + BasicType.OBJECT] == width
    assert found[kernels.TYPE_BYTES + BasicType.DOUBLE] == 8
    assert found[kernels.IDENTIFIER_BYTES] == width


def test_what_the_layout_says() -> None:
    found = kernel_constants(8, GUESS, 1)
    for code in BasicType:
        base, size = found[kernels.ELEMENT_BASE + code], found[kernels.ELEMENT_BYTES + code]
        step = found[kernels.ALIGN]
        assert -(-(base + 5 * size) // step) * step == GUESS.array_bytes(code, 5)
    assert found[kernels.UNIT] == 1
