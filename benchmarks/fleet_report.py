"""What a report over many sketches takes: seconds and memory of 20 to 2,000 dumps.

::

    python -m benchmarks.fleet_report FLEET --copies 1 10 100

The sketches of a real fleet are copied under other hosts' names, so each copy is a process of its own.  Each
report runs in a process of its own; what is printed: dumps, processes, seconds, its highest memory.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import FleetFolder
from heapscope.fleet.schema import TABLES
from heapscope.units import format_bytes

_MEASURE = """
import resource, sys, time
from heapscope.fleet.fleet import Fleet
from heapscope.fleet.verdict import judge_fleet
began = time.process_time()
verdict = judge_fleet(Fleet(sys.argv[1]))
print(len(verdict.processes), time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def with_host(table: Any, name: str, identity: str, number: int) -> Any:
    """The table under another identity, and of another host."""
    count = table.num_rows
    table = table.set_column(0, "snapshot", pa.array([identity] * count, pa.string()))
    if name == "snapshots":
        hosts = [f"{host}-{number}" for host in table.column("host").to_pylist()]
        place = table.schema.get_field_index("host")
        table = table.set_column(place, "host", pa.array(hosts, pa.string()))
    return table


def copy_fleet(source: Fleet, target: FleetFolder, copies: int) -> int:
    """So many copies of all sketches; how many sketches there are then."""
    identities = sorted(FleetFolder(source.path).identities())
    for identity in identities:
        tables = {name: pq.read_table(source.path / identity / f"{name}.parquet") for name in TABLES}
        for number in range(copies):
            other = hashlib.sha256(f"{identity} {number}".encode()).hexdigest()[:32]
            folder = target.path / other
            folder.mkdir()
            for name, table in tables.items():
                pq.write_table(with_host(table, name, other, number), folder / f"{name}.parquet")
    return len(identities) * copies


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fleet", type=Path)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--scratch", type=Path, default=None)
    options = parser.parse_args()
    print("dumps  processes  seconds of one core  memory")
    for copies in options.copies:
        room = Path(tempfile.mkdtemp(prefix="heapscope-report-", dir=options.scratch))
        try:
            count = copy_fleet(Fleet(options.fleet), FleetFolder(room / "fleet", create=True), copies)
            done = subprocess.run(
                [sys.executable, "-c", _MEASURE, room / "fleet"], capture_output=True, text=True, check=True
            )
            processes, seconds, kilobytes = done.stdout.split()
            memory = format_bytes(int(kilobytes) * 1024)
            print(f"{count:5}  {processes:>9}  {float(seconds):19.1f}  {memory:>8}", flush=True)
        finally:
            shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    main()
