"""Which snapshots are of one process: what a restart, or another worker, tells apart.

Evidence, of which any two snapshots need one kind in common:

- the sidecar of ``heapscope collect``: host, pid, and when the process was started;
- the random number that a JVM draws when it starts, ``java.util.ImmutableCollections.SALT32L``
  (``SALT`` in JDK 9 and 10): a static field, in every dump since JDK 9, different in each process
  (but for a JVM that was started from an AOT cache which holds it, JDK 24 and later);
- the process that ``jcmd`` names above its class histogram;
- of older JVMs where the native halves of the system threads lie, ``java.lang.Thread.eetop``: they
  live as long as the JVM, at addresses that the system chooses at random.

Object addresses are no evidence: collections move objects.  A class histogram without a sidecar
tells nothing of its process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.sidecar import number_in
from heapscope.analysis.growth.snapshot import Snapshot
from heapscope.errors import ObjectNotFound
from heapscope.progress import Progress, no_progress

if TYPE_CHECKING:
    from heapscope.heap.heap import Heap

_SYSTEM_THREADS = ("java.lang.ref.Reference$ReferenceHandler", "java.lang.ref.Finalizer$FinalizerThread")


def evidence_of(snapshot: Snapshot, progress: Progress = no_progress) -> dict[str, object]:
    """What tells the process of a snapshot, by kind of evidence."""
    found: dict[str, object] = {}
    pid = number_in(snapshot.sidecar, "process", "pid")
    started = number_in(snapshot.sidecar, "process", "start_ticks")
    if pid is not None and started is not None:
        found["sidecar"] = (str(snapshot.sidecar.get("host", "")), pid, started)
    elif snapshot.pid is not None:
        found["pid"] = snapshot.pid
    if snapshot.vm.seed is not None:
        found["seed"] = snapshot.vm.seed
    elif not found and (heap := snapshot.open(progress)) is not None:
        with heap:
            addresses = _thread_addresses(heap)
        if addresses:
            found["threads"] = addresses
    return found


def _thread_addresses(heap: Heap) -> tuple[int, ...]:
    found: list[int] = []
    for name in _SYSTEM_THREADS:
        try:
            found += heap.objects(name).values("eetop").tolist()
        except ObjectNotFound:
            return ()
    return tuple(found) if all(found) else ()


@dataclass(frozen=True, slots=True)
class Process:
    """Snapshots of one process.

    Attributes
    ----------
    members : tuple of int
        Their positions.
    label : str
        What the process is called: its pid and host where a sidecar has them.
    is_certain : bool
        Every member has evidence that it belongs here.
    """

    members: tuple[int, ...]
    label: str
    is_certain: bool


def find_processes(evidence: Sequence[dict[str, object]]) -> list[Process]:
    """Snapshots by process, in order of the first of each.

    A snapshot without evidence belongs to the process of the one before it.

    Parameters
    ----------
    evidence : sequence of dict
        From `evidence_of`, in order of time.
    """
    known: list[dict[str, object]] = []
    members: list[list[int]] = []
    last, unsure = 0, set()
    for position, mine in enumerate(evidence):
        possible = [
            i
            for i, other in enumerate(known)
            if all(other.get(kind, value) == value for kind, value in mine.items())
        ]
        # All evidence has to agree: a seed alone can come out of an AOT cache.
        agreeing = [i for i in possible if mine.keys() & known[i].keys()]
        if agreeing:
            last = agreeing[0]
        elif possible:
            last = last if last in possible else possible[0]
            unsure.add(last)
        else:
            known.append({})
            members.append([])
            last = len(known) - 1
        known[last].update(mine)
        members[last].append(position)
    return [
        Process(tuple(positions), _label(facts), place not in unsure)
        for place, (facts, positions) in enumerate(zip(known, members, strict=True))
    ]


def _label(facts: dict[str, Any]) -> str:
    if "sidecar" in facts:
        host, pid = facts["sidecar"][:2]
        return f"process {pid} on {host}" if host else f"process {pid}"
    if "pid" in facts:
        return f"process {facts['pid']}"
    if "seed" in facts:
        return f"the JVM with seed {facts['seed']}"
    if "threads" in facts:
        return f"the JVM with system threads at {', '.join(f'0x{at:x}' for at in facts['threads'])}"
    return "an unnamed process"
