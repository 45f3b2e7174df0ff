"""What a snapshot will take, before the JVM is contacted: bytes, seconds of pause, room, problems."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess

# A dump takes up to 1.45 bytes for each byte of the live heap (measured).
_DUMP_PER_HEAP = 1.45
# Bytes of a dump that HotSpot writes in a second, in small objects: 611 MB took 4.6 to 7.4 s on two busy
# cores with JDK 17, which writes them one by one; JDK 22 and later are twice as fast (2.0 GB: 8.4 s and 3.4
# s alone).
_BYTES_PER_SECOND = 100e6
_FIRST_FAST_RELEASE, _FAST_BYTES_PER_SECOND = 22, 200e6


def _heap_bytes(process: JvmProcess) -> int:
    """As much as the heap may hold.

    The committed heap, because some collectors update the used size only at a collection; and no more than
    the resident size, because memory that is in use is resident.
    """
    if process.heap is None:
        return process.rss_bytes
    return min(process.rss_bytes, process.heap.committed_bytes or process.rss_bytes)


def expected_dump_bytes(process: JvmProcess) -> int:
    """About how long a dump may get at most."""
    return int(_DUMP_PER_HEAP * _heap_bytes(process))


def expected_pause_seconds(process: JvmProcess, release: int, measured: float | None = None) -> float:
    """About how long a dump may stop the JVM, by the heap that is in use.

    Parameters
    ----------
    process : JvmProcess
    release : int
        Feature release of its JVM; 0 where it is not known.
    measured : float, optional
        Bytes a second that this JVM wrote before.
    """
    heap_bytes = _heap_bytes(process)
    if process.heap is not None and process.heap.used_bytes:
        heap_bytes = min(heap_bytes, process.heap.used_bytes)
    usual = _FAST_BYTES_PER_SECOND if release >= _FIRST_FAST_RELEASE else _BYTES_PER_SECOND
    return _DUMP_PER_HEAP * heap_bytes / (measured or usual)


def longer_pause(seconds: float) -> str:
    """An option that allows a pause of so long, in words; in whole seconds that are enough."""
    return f"pass --max-pause {math.ceil(seconds)}s, or take --kind histogram"


def measured_rate(process: JvmProcess, folder: Path) -> float | None:
    """Bytes a second of the newest dump of this very process in a folder; None without one."""
    found: list[tuple[str, float]] = []
    for path in folder.glob(f"*.{process.pid}.*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
            facts = json.loads(path.read_text())
            of = facts["process"]
            if (of["pid"], of["start_ticks"]) == (process.pid, process.start_ticks):
                rate = float(facts["dump_bytes"]) / float(facts["pause_seconds_estimate"])
                found.append((str(facts["captured_at"]), rate))
    return max(found)[1] if found else None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a dump of a process would take.

    Attributes
    ----------
    way : str
        How it would be taken, in words.
    can_be_ended : bool
        Whether the pause ends when the budget is spent: a JVM that writes a file cannot be told to stop.
    dump_bytes, most_bytes : int
        By the heap in use, and by the heap that is committed.
    pause_seconds : float
    is_measured : bool
        Whether the pause follows from an earlier dump of this process; else from other machines.
    spare_bytes : int or None
        What may be written where the snapshot goes; None where no folder was named.
    refusals, warnings : sequence of str
        Why it would be refused; what could go wrong.
    """

    way: str
    can_be_ended: bool
    dump_bytes: int
    most_bytes: int
    pause_seconds: float
    is_measured: bool
    spare_bytes: int | None
    refusals: Sequence[str]
    warnings: Sequence[str]


def existing_folder(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    path = folder.absolute()
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path
