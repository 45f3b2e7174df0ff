"""How long queries and exports take on a large heap that has an index.

::

    python -m benchmarks.query --scale 1

Every figure is of a process that has opened the dump with its index, in seconds of wall clock and of
processor, the best of ``--rounds``, beside the limit it should keep at scale 1 (about 2 GB, 33 million
objects) and beside one pass over the dump's bytes on the same machine at the same time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import heapscope
from benchmarks.make_dump import ROOT, make_dump
from heapscope.progress import no_progress
from heapscope.query.export import export_tables
from heapscope.query.session import Session
from heapscope.query.sources import opened_session

QUERIES = (
    (
        "group-by over all objects",
        1.0,
        "SELECT class_name, count(*), sum(shallow_bytes), max(retained_bytes) FROM objects GROUP BY 1",
    ),
    (
        "join of references with classes",
        4.0,
        "SELECT c.super_name, count(*) FROM refs r JOIN classes c ON r.target_class = c.class_name "
        "GROUP BY 1",
    ),
    (
        "references by class of both ends",
        None,
        "SELECT source_class, target_class, count(*) FROM refs GROUP BY 1, 2",
    ),
    ("references by field", None, "SELECT source_class, field, count(*) FROM refs GROUP BY 1, 2"),
    (
        "strings without their text",
        1.5,
        "SELECT count(*), sum(shallow_bytes), sum(retained_bytes), min(address) FROM strings",
    ),
    ("strings by length", None, "SELECT length, count(*) FROM strings GROUP BY 1"),
    ("strings by text", None, "SELECT text, count(*) FROM strings GROUP BY 1 ORDER BY 2 DESC LIMIT 10"),
    ("top by retained size", None, "SELECT * FROM objects ORDER BY retained_bytes DESC LIMIT 10"),
)
EXPORT_SECONDS = 20.0


@dataclass(frozen=True)
class Measured:
    """Wall clock and processor seconds of the fastest round."""

    wall: float
    processor: float


def measure(work: Callable[[], object], rounds: int) -> Measured:
    """The fastest of some rounds."""
    found = []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        found.append(Measured(time.perf_counter() - wall, time.process_time() - processor))
    return min(found, key=lambda each: each.wall)


def read_through(path: Path) -> int:
    """Read a file, as ``cat`` does."""
    size = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while got := file.readinto(buffer):
            size += got
    return size


def run_queries(session: Session, rounds: int) -> None:
    """Measure each query, nothing of it kept from one round to the next, and print a line for it."""
    for label, limit, query in QUERIES:

        def work(query: str = query) -> None:
            session.forget()
            session.run(query)

        print_line(label, limit, measure(work, rounds))


def print_line(label: str, limit: float | None, found: Measured) -> None:
    """One figure beside its limit."""
    verdict = "" if limit is None else f"limit {limit:5.1f} s  {'ok' if found.wall <= limit else 'OVER'}"
    print(f"{label:36} {found.wall:7.2f} s wall {found.processor:7.2f} s cpu  {verdict}")


def main(arguments: list[str] | None = None) -> int:
    """Make the dump where it is missing, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jdk", type=Path)
    parser.add_argument("--dump", type=Path, help="this dump instead of one that is made")
    parser.add_argument(
        "--dumps", type=int, default=0, help="the first query over so many copies of the dump"
    )
    parser.add_argument("--no-export", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "bench")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    dump = options.dump or make_dump(options.scale, options.output, jdk=options.jdk)[0]
    following = {"index_dir": options.output}
    with heapscope.open(dump, no_progress, **following) as heap:
        print(f"{dump.name}: {heap.object_count:,} objects; making its index where it is missing")
        assert heap.graph.retained_units.size
    print_line("reading the dump's bytes", None, measure(lambda: read_through(dump), options.rounds))
    with opened_session([dump], following, show_secrets=True) as session:
        run_queries(session, options.rounds)
        if not options.no_export:
            with tempfile.TemporaryDirectory(dir=options.output) as folder:
                for to in ("parquet", "arrow"):

                    def export(to: str = to, folder: str = folder) -> None:
                        session.forget()
                        export_tables(session, Path(folder) / to, to, version="bench", force=True)  # type: ignore[arg-type]

                    print_line(f"export to {to}", EXPORT_SECONDS, measure(export, 1))
    if options.dumps > 1:
        several(dump, options.output, options.dumps, options.rounds, following)
    return 0


def _anew(session: Session, query: str) -> None:
    session.forget()
    session.run(query)


def several(dump: Path, folder: Path, count: int, rounds: int, following: dict[str, Path]) -> None:
    """The first query over copies of the dump, beside the sum over single ones."""
    paths = [dump]
    for number in range(1, count):
        copy = folder / f"copy-{number}.hprof"
        if not copy.exists():
            os.link(dump, copy) if hasattr(os, "link") else shutil.copy(dump, copy)
        paths.append(copy)
    query = QUERIES[0][2].replace("SELECT ", "SELECT snapshot, ").replace("GROUP BY 1", "GROUP BY 1, 2")
    single = 0.0
    for path in paths:
        with opened_session([path], following) as session:
            session.run("SELECT max(retained_bytes) FROM objects")  # its index, where it is missing
            session.forget()
            single += measure(lambda session=session: session.run(query), rounds).wall  # type: ignore[misc]
    with opened_session(paths, following) as session:
        found = measure(lambda: _anew(session, query), rounds)
    print_line(f"the same over {count} dumps", single, found)


if __name__ == "__main__":
    raise SystemExit(main())
