"""Fleets of small dumps: processes with an environment, jars, and sessions that pile up or do not.

::

    write_fleet(folder, [Worker("h1", 1, leaks=True), Worker("h2", 1)])

or a whole small one, 41 dumps with their sketches, in 5 seconds::

    write_fleet(tmp_path / "north", small_fleet())
    fleet = make_sketches(tmp_path / "north", tmp_path / "fleet")
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import Failure, FleetFolder
from heapscope.fleet.sources import NamePattern, find_sources
from heapscope.fleet.task import Work, sketch_of
from tests.support.dumps import DumpBuilder

HOUR_MS = 3_600_000
START_MS = 1_780_000_000_000
REGISTRY, SESSION = "com.acme.SessionRegistry", "com.acme.Session"
AUDIT, LINE = "com.acme.Audit", "com.acme.AuditLine"


@dataclass(frozen=True)
class Worker:
    """A process; of one that leaks a registry of sessions grows by ``per_dump``."""

    host: str
    pid: int
    leaks: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: {"LANG": "C", "HOME": "/home/worker"})
    jars: Sequence[str] = ("acme-server-3.1.jar",)
    dump_count: int = 4
    session_count: int = 200
    per_dump: int = 200
    lines_per_dump: int = 0  # of a second leak, an audit log
    garbage_per_dump: int = 0  # arrays that nothing refers to, as Serial and Parallel leave between objects
    seed: int = 0

    @property
    def jvm_seed(self) -> int:
        return self.seed or hash_of(f"{self.host} {self.pid}")


def hash_of(text: str) -> int:
    """The same in every run, unlike ``hash``."""
    return int.from_bytes(text.encode()[-4:], "big") + len(text)


def dump_of(worker: Worker, number: int) -> bytes:
    """The dump that a worker gives at an hour."""
    d = DumpBuilder(timestamp_ms=START_MS + number * HOUR_MS, jdk=17)
    d.unsafe()
    d.static("java.util.ImmutableCollections", "SALT32L", "long", worker.jvm_seed)
    d.cls(SESSION, fields={"user": "String", "data": "byte[]"})
    d.cls(REGISTRY, fields={"map": "Map"}, statics={"sessions": ("Map", 0)})
    count = worker.session_count + (worker.per_dump * number if worker.leaks else 0)
    data = bytes(64)
    sessions: dict[int | str, int | str | None] = {
        f"user {i}": d.instance(SESSION, user=f"user {i}", data=d.primitive_array("byte", data))
        for i in range(count)
    }
    registry = d.hash_map(sessions, buckets=64)
    d.static(REGISTRY, "BY_USER", "Map", registry)
    if worker.lines_per_dump:
        d.cls(LINE, fields={"data": "byte[]"})
        d.cls(AUDIT, fields={"map": "Map"})
        lines: dict[int | str, int | str | None] = {
            f"line {i}": d.instance(LINE, data=d.primitive_array("byte", data))
            for i in range(worker.lines_per_dump * (number + 1))
        }
        d.static(AUDIT, "LINES", "Map", d.hash_map(lines, buckets=64))
    d.process_environment(worker.environment)
    class_path = ":".join(f"/opt/acme/{each}" for each in worker.jars)
    d.system_properties(
        {"java.version": "17.0.15", "user.name": "acme", "java.class.path": class_path, "path.separator": ":"}
    )
    for _ in range(worker.garbage_per_dump * number):
        d.primitive_array("int", [0] * 16)
    d.thread("main")
    return d.dump().data


def write_fleet(folder: Path, workers: Sequence[Worker]) -> list[Path]:
    """``folder/<host>/<pid>-<number>.hprof`` for each dump of each worker."""
    found = []
    for worker in workers:
        for number in range(worker.dump_count):
            path = folder / worker.host / f"{worker.pid}-{number}.hprof"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dump_of(worker, number))
            found.append(path)
    return found


NAME = "{cluster}/{host}/{pid}-{number}.hprof"
TICKET = "KERB_TICKET_CACHE_PATH"


def small_fleet() -> list[Worker]:
    """14 processes on 3 hosts: five leak, all with the variable; nine do not, one without enough dumps."""
    found = []
    for number in range(14):
        leaks = number < 5
        environment = {"LANG": "C", "ACME_TOKEN": "s3cr3t-value-of-a-token", "EVEN": str(number % 2)}
        if leaks:
            environment[TICKET] = "/tmp/krb5cc_1000"
        found.append(
            Worker(
                f"host{number % 3}",
                100 + number,
                leaks=leaks,
                environment=environment,
                jars=("acme-server-3.1.jar", f"codec-{1 + number % 2}.0.jar"),
                dump_count=2 if number == 13 else 3,
                session_count=30,
                per_dump=30,
            )
        )
    return found


def make_sketches(dumps: Path, folder: Path, name: str = NAME, *, partial: bool = False) -> Fleet:
    """The sketches of all dumps in a folder, made in this process; what is broken is noted."""
    target = FleetFolder(folder, create=True)
    for source in find_sources([str(dumps)], NamePattern(name)):
        found = sketch_of(Work(source, partial, "1.0"))
        if isinstance(found, str):
            target.add_failure(Failure(source.identity, source.url, found))
        else:
            target.add(source.identity, found)
    return Fleet(target.path)


def write_sidecar(
    path: Path, host: str, pid: int, *, work_count: int | None = None, **process: object
) -> None:
    """What ``heapscope collect`` writes beside a dump, as far as fleets read it."""
    facts: dict[str, object] = {"host": host, "process": {"pid": pid, "start_ticks": pid, **process}}
    if work_count is not None:
        facts["work_count"] = work_count
    path.with_name(f"{path.name}.json").write_text(json.dumps(facts))


def main(folder: Path) -> None:
    """The small fleet of the notebook: its dumps in ``FOLDER/north``, its sketches in ``FOLDER/fleet``."""
    write_fleet(folder / "north", small_fleet())
    make_sketches(folder / "north", folder / "fleet")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
