"""Running JVMs: which there are, and snapshots of them in two steps; the first only tells the price."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapscope.agent.answer import Answer, Question, without_empty
from heapscope.agent.workspace import Workspace
from heapscope.collector import processes
from heapscope.collector.dump import FileKind, collect
from heapscope.errors import HeapscopeError
from heapscope.progress import Progress
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_duration

if TYPE_CHECKING:
    from heapscope.collector.processes import JvmProcess

TOKEN_SECONDS = 600.0
# Seconds for a gigabyte of live heap, measured: worst stall of a 10 ms ticker at 1.38 GB, JDK 17 and 25.
_DUMP_PAUSE = 6.7
_DUMP_PAUSE_PARALLEL = 3.7
_HISTOGRAM_PAUSE = 2.3
_FIRST_PARALLEL_RELEASE = 21
_DUMP_BYTES = 1.45  # of the live bytes; at most twice that


@dataclass(frozen=True, slots=True)
class _Plan:
    pid: int
    start_ticks: int
    kind: FileKind
    until: float


@dataclass
class Collecting:
    """What may be collected, and which plans wait for their second step.

    Attributes
    ----------
    folder : Path
        Where snapshots go.
    """

    folder: Path
    _plans: dict[str, _Plan] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ps(self, work: Workspace, progress: Progress, offset: int = 0) -> Answer:
        """The processes that host a JVM; nothing is contacted."""
        found = processes.find()
        hidden = processes.hidden()
        questions = (
            [Question("collect", {"pid": found[0].pid, "kind": "histogram"}, "what a snapshot would cost")]
            if found
            else []
        )
        return Answer(
            f"{plural(len(found), 'process', 'processes')} with a JVM",
            data={"processes": [_facts(work, each) for each in found[offset:]]},
            rows="processes",
            offset=offset,
            total=len(found),
            next=questions,
            notes=[f"{plural(hidden, 'process', 'processes')} could not be looked into"] if hidden else [],
        )

    def collect(
        self,
        work: Workspace,
        progress: Progress,
        pid: int = 0,
        kind: FileKind = "dump",
        token: str = "",
    ) -> Answer:
        """First what a snapshot would cost, with a token; with the token, the snapshot."""
        if token:
            return self._do(work, progress, token)
        process = processes.get(pid)
        return self._plan(process, kind)

    def _plan(self, process: JvmProcess, kind: FileKind) -> Answer:
        if process.attach == "no" or (process.attach == "signal" and process.is_embedded):
            why = process.attach_reason or "it takes a SIGQUIT, which its host program may not survive"
            raise HeapscopeError(
                f"process {process.pid}: no snapshot can be taken from here: {why}; somebody who knows the "
                f"program can run 'heapscope collect {process.pid} --allow-sigquit -o DIR'"
            )
        token = secrets.token_hex(8)
        with self._lock:
            now = time.monotonic()
            self._plans = {name: plan for name, plan in self._plans.items() if plan.until > now}
            self._plans[token] = _Plan(process.pid, process.start_ticks, kind, now + TOKEN_SECONDS)
        data: dict[str, Any] = {"pid": process.pid, "kind": kind, "token": token}
        heap = process.heap
        # Before the first collection some JVMs say 0: it is no more than what is committed.
        used = 0 if heap is None else heap.used_bytes or heap.committed_bytes
        if not used:
            cost = "how long the JVM would stand still is not known: it does not tell the size of its heap"
        else:
            seconds = used / 1e9 * _pause_of(kind, process)
            data["pause_seconds_estimate"] = round(seconds, 2)
            data["used_heap_bytes"] = used
            cost = f"the JVM would stand still for about {format_duration(max(seconds, 0.1))}"
            if kind == "dump":
                data["dump_bytes_estimate"] = round(used * _DUMP_BYTES)
                cost += (
                    f", its dump has about {format_bytes(used * _DUMP_BYTES)} before it is packed, at most "
                    f"{format_bytes(2 * used)}"
                )
        if process.attach == "signal":
            cost += (
                "; it gets one SIGQUIT, which a Java launcher takes for a request to open its attach socket"
            )
        return Answer(
            f"nothing was done yet. A {kind} of process {process.pid}: {cost}",
            "an estimate from the heap in use before a collection; a busy machine takes longer",
            data,
            next=[Question("collect", {"token": token}, "do it: the token is good once, for ten minutes")],
        )

    def _do(self, work: Workspace, progress: Progress, token: str) -> Answer:
        with self._lock:
            plan = self._plans.pop(token, None)
        if plan is None or plan.until < time.monotonic():
            raise HeapscopeError(
                "this token is unknown, used or too old; ask 'collect' with a pid for another"
            )
        process = processes.get(plan.pid)
        if process.start_ticks != plan.start_ticks:
            raise HeapscopeError(f"process {plan.pid} has ended since, another one has its pid")
        progress("collecting", 0, 1)
        taken = collect(process, self.folder, kind=plan.kind, allow_sigquit=not process.is_embedded)
        progress("collecting", 1, 1)
        pause = taken.facts["pause_seconds_estimate"]
        name = work.scope.name_of(taken.path)
        return Answer(
            f"taken: {name}, {format_bytes(taken.facts['file_bytes'])}; the JVM stood still for about "
            f"{pause:.2g} s",
            data={"snapshot": name, "pause_seconds": pause, "file_bytes": taken.facts["file_bytes"]},
            next=[Question("diagnose", {"snapshots": [name]}, "what leaks, as far as one snapshot tells")],
        )


def _pause_of(kind: FileKind, process: JvmProcess) -> float:
    if kind == "histogram":
        return _HISTOGRAM_PAUSE
    return _DUMP_PAUSE_PARALLEL if process.release >= _FIRST_PARALLEL_RELEASE else _DUMP_PAUSE


def _facts(work: Workspace, process: JvmProcess) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "pid": process.pid,
        "role": process.role,
        "task_index": process.task_index,
        "embedded": process.is_embedded or None,
        "jvm": process.jvm_version,
        "rss_bytes": process.rss_bytes,
        "age_seconds": round(process.age_seconds),
        "attach": process.attach,
        "variables": [work.disclosure.name(name) for name in process.environment],
        "suspect": (
            "HDFS with KERB_TICKET_CACHE_PATH: reads may leak file systems" if process.is_suspect else None
        ),
    }
    if process.heap is not None:
        facts["used_heap_bytes"] = process.heap.used_bytes
        facts["max_heap_bytes"] = process.heap.max_bytes
    return without_empty(facts)
