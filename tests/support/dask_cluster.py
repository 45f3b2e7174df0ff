"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own.

::

    with dask_cluster.running(folder, workers=2) as cluster:
        run_fleet(sources, folder, version="1.0", scheduler=cluster.address)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """A scheduler with workers of one thread.

    Attributes
    ----------
    address : str
        ``tcp://127.0.0.1:port``.
    scheduler : Popen
    workers : list of Popen
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def running(
    folder: Path, workers: int = 2, environment: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Start it and finally end it; the workers' own folders and all logs are in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    contact = folder / "scheduler.json"
    quiet = ["--no-dashboard"]
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HEAPSCOPE_THREADS": "1", **(environment or {})},
            )
        started.append(process)
        return process

    try:
        scheduler = start(
            "scheduler", "scheduler", "--host=127.0.0.1", "--port=0", "--no-show",
            f"--scheduler-file={contact}", *quiet,
        )  # fmt: skip
        address = _address(contact, scheduler, folder / "scheduler.log")
        mine = [
            # No nanny: what is killed stays dead, and its process is the one that is known here.
            start(
                f"worker-{number}", "worker", address, "--nthreads=1", "--memory-limit=0", "--no-nanny",
                "--host=127.0.0.1", f"--local-directory={folder / f'worker-{number}'}", *quiet,
            )
            for number in range(workers)
        ]  # fmt: skip
        yield Cluster(address, scheduler, mine)
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def _address(contact: Path, scheduler: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and scheduler.poll() is None:
        try:
            return str(json.loads(contact.read_text())["address"])
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
    raise AssertionError(f"the scheduler did not start:\n{log.read_text()[-2000:]}")
