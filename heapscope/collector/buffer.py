"""Bounded memory between the process that reads a dump and the process that writes it.

An anonymous shared mapping is cut into slots.  Two pipes carry them to and fro, eight bytes a slot: filled
ones to the writer, freed ones back to the reader.  A pipe takes 8,192 such messages (64 KiB), more than
there are slots, so neither side ever waits to hand one over; and a side that ends closes its pipe, which the
other sees.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress

from heapscope.memory_limits import memory_limits

SLOT_BYTES = 1 << 20
_MIN_SLOTS, _MAX_SLOTS = 8, 8192
_MESSAGE = struct.Struct("<HHI")  # slot, stream, bytes in it
DEFAULT_BYTES = 1 << 30
_SHARE_OF_FREE = 8
_MADV_POPULATE_WRITE = 23
SHARE_HELD = 3  # quarters of the memory that may be full before anything of it is taken out
_MIN_MEMORY_BYTES, _MAX_MEMORY_BYTES = 64 << 20, 4 << 30


def default_buffer_bytes() -> int:
    """1 GiB, or an eighth of the free memory: the JVM may live in the same container."""
    return max(
        _MIN_SLOTS * SLOT_BYTES, min([DEFAULT_BYTES, *(left // _SHARE_OF_FREE for left in _free_bytes())])
    )


def default_memory_bytes() -> int:
    """For the analysis of a dump that is not written: a quarter of the free memory, at most 4 GiB."""
    return max(_MIN_MEMORY_BYTES, min([_MAX_MEMORY_BYTES, *(left // 4 for left in _free_bytes())]))


def _free_bytes() -> list[int]:
    """Of the container that limits us, and of the machine."""
    limits = memory_limits(os.getpid())
    return [
        limits[f"{whose}_bytes"] - limits[f"{whose}_used_bytes"]
        for whose in ("container", "machine")
        if f"{whose}_bytes" in limits
    ]


class SlotBuffer:
    """Slots of shared memory, made before the two processes are forked.

    Parameters
    ----------
    byte_count : int
        Memory of all slots; rounded to whole ones, eight at least.
    """

    def __init__(self, byte_count: int) -> None:
        self.count = min(_MAX_SLOTS, max(_MIN_SLOTS, byte_count // SLOT_BYTES))
        self._map = mmap.mmap(-1, self.count * SLOT_BYTES)
        self._memory = memoryview(self._map)
        self.filled_out, self.filled_in = os.pipe()
        self.freed_out, self.freed_in = os.pipe()

    def slot(self, number: int) -> memoryview:
        """The bytes of a slot, to be filled or read."""
        return self._memory[number * SLOT_BYTES : (number + 1) * SLOT_BYTES]

    def populate(self, byte_count: int) -> None:
        """Fetch the pages of the first slots now: the JVM need not wait for that later (0.3 s for 100 MB)."""
        length = min(self.count, -(-byte_count // SLOT_BYTES)) * SLOT_BYTES
        with suppress(OSError):  # before Linux 5.14
            self._map.madvise(_MADV_POPULATE_WRITE, 0, length)

    def keep(self, *fds: int) -> None:
        """Close all ends of the pipes but these: an end that is held open hides that its owner ended."""
        for fd in (self.filled_out, self.filled_in, self.freed_out, self.freed_in):
            if fd not in fds:
                os.close(fd)

    def hand_over(self, slot: int, stream: int, size: int) -> None:
        """Reader: give the writer a slot with so many bytes of a stream."""
        os.write(self.filled_in, _MESSAGE.pack(slot, stream, size))

    def give_back(self, slot: int) -> None:
        """Writer: a slot may be filled again.

        Raises
        ------
        BrokenPipeError
            The reader has ended, which needs no more slots.
        """
        os.write(self.freed_in, _MESSAGE.pack(slot, 0, 0))

    def filled(self) -> Iterator[tuple[int, int, int]]:
        """Writer: slot, stream and bytes of what was handed over, until the reader has ended."""
        while messages := os.read(self.filled_out, 512 * _MESSAGE.size):
            yield from _MESSAGE.iter_unpack(messages)

    def freed(self) -> list[int] | None:
        """Reader: slots that came back, waiting for one if there is none; None when the writer has ended."""
        messages = os.read(self.freed_out, 512 * _MESSAGE.size)
        return [slot for slot, _, _ in _MESSAGE.iter_unpack(messages)] if messages else None
