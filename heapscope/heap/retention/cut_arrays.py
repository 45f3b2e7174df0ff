"""Whether a dump has the contents of its strings: not after redaction, and not where the JVM cuts arrays.

SapMachine's ``-XX:+LimitPrimitiveArrayContentInHeapDump`` writes the first elements of a large primitive
array (120 of ``byte[]`` and ``char[]``, or ``-XX:StringLikeContentSizeLimitInHeapDump``), then zeros
(SapMachine#2250).  Lengths stay.  No record says so; but a text does not end in zeros, and here all that are
longer than some length do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heapscope.heap.graph.index_sets import distinct
from heapscope.heap.objects.java_object import JavaObject
from heapscope.heap.objects.values import string_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from heapscope.heap.graph.heap_graph import HeapGraph

_LONGEST = 500  # arrays that are looked at: a cut spares none of them
_LEAST_ARRAYS = 3
_LEAST_ZEROS = 16  # at the end of each of those: the last character may be a zero by right
_LEAST_ZERO_SHARE = 0.9  # of the strings of a redacted dump


@dataclass(frozen=True, slots=True)
class CutArrays:
    """Arrays of strings that end in zeros.

    Attributes
    ----------
    kept_bytes : int
        No array has anything else than zeros behind so many bytes; 0: all contents are zeros.
    """

    kept_bytes: int

    def __str__(self) -> str:
        if not self.kept_bytes:
            return "the strings of this dump are zeros (it was redacted): which are duplicates cannot be told"
        return (
            f"arrays of this dump are cut to zeros behind {self.kept_bytes:,} bytes "
            "(LimitPrimitiveArrayContentInHeapDump): longer strings that only begin alike count as duplicates"
        )


def is_without_texts(graph: HeapGraph) -> bool:
    """Whether the strings of a dump are zeros, as redaction leaves them, by some taken at even distances.

    Some may have been kept (``redact --keep-strings``).
    """
    strings = _strings(graph)
    arrays = string_arrays(graph, strings[:: max(1, strings.size // _LONGEST)])
    contents = [JavaObject(graph, int(row)).elements() for row in arrays[arrays >= 0].tolist()]
    are_zeros = [not each.any() for each in contents if each.size]
    return len(are_zeros) >= _LEAST_ARRAYS and sum(are_zeros) > _LEAST_ZERO_SHARE * len(are_zeros)


def _strings(graph: HeapGraph) -> NDArray[np.int64]:
    return graph.instances_of(np.array([c.name == "java.lang.String" for c in graph.classes], bool))


def find_cut_arrays(graph: HeapGraph) -> CutArrays | None:
    """How the arrays of strings are cut; None where they are not, or too few are long enough to tell."""
    arrays = distinct(string_arrays(graph, _strings(graph)))
    arrays = arrays[arrays >= 0]
    sizes = graph.columns.size_units[arrays]
    if arrays.size > _LONGEST:
        arrays = arrays[np.argpartition(sizes, arrays.size - _LONGEST)[-_LONGEST:]]
    contents = [JavaObject(graph, int(row)).elements() for row in arrays.tolist()]
    ends = [(int(np.nonzero(each)[0][-1]) + 1) * each.itemsize if each.any() else 0 for each in contents]
    kept = max(ends, default=0)
    cut = sum(each.nbytes >= kept + _LEAST_ZEROS for each in contents)
    return CutArrays(kept) if cut >= _LEAST_ARRAYS else None
