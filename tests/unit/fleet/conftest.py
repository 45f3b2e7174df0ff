"""One fleet of synthetic dumps for all tests here, its sketches made in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.fleet.fleet import Fleet
from heapscope.fleet.folder import Failure, FleetFolder
from heapscope.fleet.sources import NamePattern, find_sources
from heapscope.fleet.task import Work, sketch_of
from tests.support.fleet import Worker, write_fleet, write_sidecar

NAME = "{cluster}/{host}/{pid}-{number}.hprof"
TICKET = "KERB_TICKET_CACHE_PATH"


def workers() -> list[Worker]:
    """Five that leak, all with the variable; eight that do not, one without enough dumps."""
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


@pytest.fixture(scope="session")
def fleet_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of dumps, one with a sidecar, and one file that is broken."""
    folder = tmp_path_factory.mktemp("dumps") / "north"
    paths = write_fleet(folder, workers())
    write_sidecar(paths[0], "host0", 100, role="worker", task_index=3, pod="trainer-0")
    (folder / "host0" / "999-0.hprof").write_bytes(paths[0].read_bytes()[:500])
    return folder


@pytest.fixture(scope="session")
def fleet(fleet_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Its sketches."""
    folder = FleetFolder(tmp_path_factory.mktemp("sketches") / "fleet", create=True)
    for source in find_sources([str(fleet_files)], NamePattern(NAME)):
        found = sketch_of(Work(source, False, "1.0"))
        if isinstance(found, str):
            folder.add_failure(Failure(source.identity, source.url, found))
        else:
            folder.add(source.identity, found)
    return Fleet(folder.path)
