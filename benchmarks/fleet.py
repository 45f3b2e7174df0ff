"""How long a fleet of dumps takes: 20 to 200 dumps of 50 MB, with one worker and with two.

::

    python -m benchmarks.fleet --counts 20 200 --workers 1 2

One real dump (`benchmarks.make_dump` at a small scale) is copied, each copy with a path and a time of capture
of its own, which makes it another dump.  Three quarters of the copies are three of one process each, so that
there are series; the copies are removed at the end.  What is printed: wall clock, processor time (which says
more on a machine that others use), the highest memory of a worker, of the scheduler with the client, and of
the report; at the end the limits.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import struct
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.make_dump import ROOT, make_dump
from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.run import run_fleet
from heapscope.fleet.sources import NamePattern, find_sources
from heapscope.fleet.verdict import judge_fleet
from heapscope.units import format_bytes

LIMIT_SECONDS = 240.0  # of 200 dumps on two cores
LIMIT_BYTES = 1_500_000_000  # of a worker
SCALE = 0.025  # about 50 MB
HEADER_TIME = len(b"JAVA PROFILE 1.0.2\0") + 4
HOUR_MS = 3_600_000


class Peak:
    """The highest resident memory of this process and of its children, looked at once a second."""

    def __init__(self) -> None:
        self.own = self.worker = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        me = psutil.Process()
        while True:
            self.own = max(self.own, me.memory_info().rss)
            for child in me.children(recursive=True):
                try:
                    # A mapped dump is the page cache's: what only the worker has counts.
                    facts = child.memory_info()
                    self.worker = max(self.worker, facts.rss - facts.shared)
                except psutil.Error:
                    continue
            if self._ended.wait(1):
                break

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def copies(dump: Path, folder: Path, count: int) -> None:
    """Copies of a dump, each with a process and a time of its own."""
    data = bytearray(dump.read_bytes())
    (start,) = struct.unpack_from(">Q", data, HEADER_TIME)
    for number in range(count):
        process, place = (number // 3, number % 3) if number < count // 4 * 3 else (number, 0)
        struct.pack_into(">Q", data, HEADER_TIME, start + place * HOUR_MS + process)
        path = folder / f"host{process % 20}" / f"{process}-{place}.hprof"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def processor_seconds() -> float:
    """Of this process and of all that it has started and that have ended, user and system."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in found)


def _run(folder: Path, count: int, workers: int) -> FleetFolder:
    """Run over a folder of dumps and print what it took."""
    sources = find_sources([str(folder)], NamePattern("{host}/{pid}-{number}.hprof"))
    assert len(sources) == count
    target = FleetFolder(folder.parent / f"out-{count}-{workers}", create=True)
    before = processor_seconds()
    with Peak() as peak:
        state = run_fleet(sources, target, version="benchmark", workers=workers)
    worked = processor_seconds() - before
    assert not state.failures, state.failures[:2]
    print(
        f"{count:5}  {workers:7}  {state.seconds:7.1f}  {state.seconds / count:4.2f}  "
        f"{worked / count:14.2f}  {format_bytes(peak.worker):>15}  {format_bytes(peak.own):>11}",
        flush=True,
    )
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--scale", type=float, default=SCALE, help="of the dump, 1 is about 2 GB")
    parser.add_argument("--dump", type=Path, default=None, help="a dump that is there, instead of a new one")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the copies")
    options = parser.parse_args()
    # Two workers are compared with one that has one core, too, not with one that has both.
    os.environ.setdefault("HEAPSCOPE_THREADS", "1")
    dump = options.dump or make_dump(options.scale, ROOT / "build" / "bench", label="-fleet")[0]
    room = Path(tempfile.mkdtemp(prefix="heapscope-fleet-", dir=options.scratch))
    try:
        print(f"dumps of {format_bytes(dump.stat().st_size)}")
        # All runs come before the first report, whose libraries would count as the scheduler's memory.
        print("dumps  workers  seconds  each  processor each  worker's memory  scheduler's")
        targets = []
        for count in options.counts:
            folder = room / f"{count}"
            copies(dump, folder, count)
            targets += [(count, _run(folder, count, workers)) for workers in options.workers]
            shutil.rmtree(folder)
        print("dumps  report  its memory")
        for count, target in targets:
            began = time.monotonic()
            with Peak() as peak:
                verdict = judge_fleet(Fleet(target.path))
            seconds, processes = time.monotonic() - began, len(verdict.processes)
            print(f"{count:5}  {seconds:5.1f}s  {format_bytes(peak.own):>10}  ({processes} processes)")
        print(
            f"limits: 200 dumps in {LIMIT_SECONDS:.0f} s with 2 workers; {format_bytes(LIMIT_BYTES)} a worker"
        )
    finally:
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    main()
