"""Pages of large arrays: made before the loop that fills them gets there, and let go behind one that is done.

What is touched first costs as much as what is computed with it: in a virtual machine three seconds for each
gigabyte.  Pages that were let go a moment ago cost a thirtieth of that.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from dataclasses import dataclass
from functools import cache
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of Linux 5.14, see madvise(2)
_DONT_NEED = 4  # MADV_DONTNEED of Linux
_HUGE_PAGE_BYTES = 2 << 20
_STEP_BYTES = 8 << 20
_AHEAD = 1 << 22  # rows
_WAIT_SECONDS = 0.002


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    try:
        call = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return None
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    found: Callable[[int, int, int], int] = call
    return found


@dataclass(frozen=True)
class Filling:
    """Arrays that a loop fills row by row.

    Attributes
    ----------
    arrays : list of array
        Of equal length, contiguous.
    reached : callable
        Up to which row they are filled.
    ahead : int
        How many rows ahead of that pages are made; the length of the arrays: all of them at once.
    """

    arrays: list[NDArray[Any]]
    reached: Callable[[], int]
    ahead: int = _AHEAD


def make_pages(fillings: Sequence[Filling], is_done: Event) -> None:
    """Make the pages of arrays row by row, not far ahead of what fills them; contents stay as they are.

    Does nothing where the system cannot.

    Parameters
    ----------
    fillings : sequence of Filling
        In the order of their priority: pages are made for the first that lacks some.  The work ends once the
        first of all has its pages and the others have what they may.
    is_done : Event
        Ends the work before that.
    """
    madvise = _madvise()
    made = [0] * len(fillings)
    while madvise is not None and not is_done.is_set():
        waits = True
        for place, filling in enumerate(fillings):
            row = filling.reached()
            first = made[place] = max(made[place], row)
            if first > row + filling.ahead or first >= len(filling.arrays[0]):
                continue
            step = max(1, _STEP_BYTES // max(each.strides[0] for each in filling.arrays))
            if not all(_populate(madvise, each, first, step) for each in filling.arrays):
                return
            made[place] += step
            waits = False
            break
        if waits:
            if made[0] >= len(fillings[0].arrays[0]):
                return  # the others, which may never be filled, are as far as they may be
            is_done.wait(_WAIT_SECONDS)


def _populate(madvise: Callable[[int, int, int], int], array: NDArray[Any], row: int, count: int) -> bool:
    """Make the whole pages of some rows; whether the system could."""
    page, stride = mmap.PAGESIZE, array.strides[0]
    first = array.ctypes.data + row * stride
    last = array.ctypes.data + min(len(array), row + count) * stride
    first, last = -(-first // page) * page, last // page * page
    return first >= last or not madvise(first, last - first, _POPULATE_WRITE)


def release_tail(array: NDArray[Any], first: int) -> None:
    """Give the memory of the last rows back; what they held is lost.

    Nothing is done where the system cannot, or to less than a huge page.

    Parameters
    ----------
    array : array
        Contiguous, of anonymous memory.
    first : int
        The first row that nobody needs.
    """
    madvise = _madvise()
    begin = array.ctypes.data + first * array.strides[0]
    begin = -(-begin // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    end = (array.ctypes.data + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if madvise is not None and sys.platform == "linux" and begin < end:
        madvise(begin, end - begin, _DONT_NEED)
