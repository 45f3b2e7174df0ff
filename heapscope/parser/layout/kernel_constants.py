"""What the kernels must know of a dump: lengths of records, sizes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heapscope.parser import kernels
from heapscope.parser.tags import SUB_RECORD_BODIES, TYPE_CODES, VALUE_BYTES, BasicType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.parser.layout.layout import Layout


def kernel_constants(identifier_bytes: int, layout: Layout, unit_bytes: int = 8) -> NDArray[np.int64]:
    """The argument ``constants`` of the kernels.

    Parameters
    ----------
    identifier_bytes : int
        Of the dump's header, 4 or 8.
    layout : Layout
        What sizes in memory follow from.
    unit_bytes : int
        What the column of sizes counts in; it divides the alignment.

    Returns
    -------
    int64 array, shape (CONSTANTS,)
        Slots as `heapscope.parser.kernels` names them.
    """
    found = np.zeros(kernels.CONSTANTS, np.int64)
    for tag, (plain, identifiers) in SUB_RECORD_BODIES.items():
        found[kernels.FIXED_BYTES + tag] = 1 + identifiers * identifier_bytes + plain
    for code, size in {**VALUE_BYTES, BasicType.OBJECT: identifier_bytes}.items():
        found[kernels.TYPE_BYTES + code] = size
    found[kernels.ELEMENT_BASE : kernels.ELEMENT_BASE + TYPE_CODES] = layout.array_base_bytes
    found[kernels.ELEMENT_BYTES : kernels.ELEMENT_BYTES + TYPE_CODES] = layout.array_scale_bytes
    found[kernels.ALIGN] = layout.alignment_bytes
    found[kernels.UNIT] = unit_bytes
    found[kernels.IDENTIFIER_BYTES] = identifier_bytes
    return found
