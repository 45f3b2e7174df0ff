"""A run over a fleet: each file that has no sketch yet becomes one, on Dask.

Dask decides where and when a file is read, starts anew what a lost worker had, and tries again what failed;
fsspec moves the bytes.  Here is only how much memory each file takes, and how many are under way.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from heapscope import extras
from heapscope.errors import HeapscopeError
from heapscope.fleet.folder import Failure, FleetFolder
from heapscope.fleet.task import Work, estimated_bytes, problem_of, sketch_of
from heapscope.secrets import scrub

if TYPE_CHECKING:
    from heapscope.fleet.sources import Source

_MEMORY = "heapscope-memory"  # the name of the resource that tasks ask for
_SAFE_PATH = "PYTHONSAFEPATH"
_RETRIES = 3
_WORKER_SECONDS = 60  # until a cluster's first worker is there
# Tasks under way for each thread of the cluster: enough that none waits, few enough that sketches which
# wait to be written take little memory.
_UNDER_WAY = 4
# Dask lets its workers give memory back to the system at once, and a dump takes as much again a second later:
# a tenth of a worker's time.  The profile that Dask takes of each task is read by nobody here.
_LOCAL_CONFIG = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 128 << 20,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 32 << 20,
    "distributed.worker.profile.enabled": False,
}
# Of the memory of the machine; the rest is for its file cache and others.
_MEMORY_SHARE = 0.8


@dataclass
class RunState:
    """How far a run is.

    Attributes
    ----------
    total_count, total_bytes : int
        Files that have no sketch when the run begins.
    known_count : int
        Files that had one.
    done_count, done_bytes : int
    failures : list of Failure
    seconds : float
    dashboard : str
        Address of Dask's dashboard; empty where it has none.
    """

    total_count: int
    total_bytes: int
    known_count: int
    failures: list[Failure]
    done_count: int = 0
    done_bytes: int = 0
    seconds: float = 0.0
    dashboard: str = ""


Watcher = Callable[[RunState], None]


def run_fleet(
    sources: Sequence[Source],
    folder: FleetFolder,
    *,
    version: str,
    scheduler: str | None = None,
    workers: int | None = None,
    partial: bool = False,
    scratch: Path | None = None,
    watcher: Watcher = lambda state: None,
) -> RunState:
    """Make a sketch of each file that has none.

    Parameters
    ----------
    sources : sequence of Source
    folder : FleetFolder
    version : str
        Of heapscope.
    scheduler : str, optional
        Address of a Dask scheduler; without it this machine's cores work, as many as fit its memory.
    workers : int, optional
        Processes on this machine at most.
    partial : bool
        Whether of broken dumps what can be read is taken.
    scratch : Path, optional
        Where workers copy remote files to; Dask's own folder by default.
    watcher : callable
        Told of each file that is done.

    Returns
    -------
    RunState

    Raises
    ------
    HeapscopeError
        The scheduler cannot be reached, or has gone.  Sketches that are done stay.
    MissingDependency, OutputFailed
    """
    extras.distributed()
    extras.pyarrow()
    if scratch is not None and scheduler is None and not scratch.is_dir():
        raise HeapscopeError(f"--scratch {scratch}: there is no such folder")
    known = folder.identities()
    missing = [each for each in sources if each.identity not in known]
    folder.forget_failures({scrub(each.url) for each in sources})
    began = monotonic()
    state = RunState(
        total_count=len(missing),
        total_bytes=sum(each.byte_count for each in missing),
        known_count=len(sources) - len(missing),
        failures=[],
    )
    if not missing:
        return state
    works = [Work(each, partial, version, "" if scratch is None else str(scratch)) for each in missing]
    try:
        with folder.writing():
            if scheduler is not None:
                with _remote(scheduler) as client:
                    state.dashboard = _dashboard(client)
                    watcher(state)
                    _run(client, works, folder, state, watcher, began)
            else:
                for count, group in _groups(works, workers):
                    with _local(count) as client:
                        state.dashboard = _dashboard(client)
                        watcher(state)
                        _run(client, group, folder, state, watcher, began)
    finally:
        state.seconds = monotonic() - began
        state.failures.sort(key=lambda each: each.source)
    return state


def _groups(works: Sequence[Work], workers: int | None) -> Iterator[tuple[int, list[Work]]]:
    """Works by how many of them fit into the memory of this machine at once, the most first."""
    from dask.system import CPU_COUNT

    most = max(1, min(workers or CPU_COUNT, len(works)))
    memory = int(_memory_of_machine() * _MEMORY_SHARE)

    def fitting(work: Work) -> int:
        return max(1, min(most, memory // estimated_bytes(work.source)))

    ordered = sorted(works, key=lambda work: -fitting(work))
    for count, group in itertools.groupby(ordered, fitting):
        # The largest first, so that no long one is left over at the end.
        yield count, sorted(group, key=lambda work: (-work.source.byte_count, work.source.url))


def _memory_of_machine() -> int:
    """Bytes that are there for us: of the machine, or of its container, less what others use."""
    import psutil
    from distributed.system import MEMORY_LIMIT

    return min(int(MEMORY_LIMIT), int(psutil.virtual_memory().available))


@contextmanager
def _local(count: int) -> Iterator[Any]:
    """A cluster of processes of one thread on this machine."""
    distributed = extras.distributed()
    import dask
    from dask.system import CPU_COUNT

    share = int(_memory_of_machine() * _MEMORY_SHARE) // count
    with _quiet(), _safe_path(), dask.config.set(_LOCAL_CONFIG), ExitStack() as stack:
        with _interrupts_later():
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    processes=True,
                    # Dask takes a mapped dump for memory of the worker, and would pause it.
                    memory_limit=0,
                    resources={_MEMORY: share},
                    dashboard_address="127.0.0.1:0",
                    host="127.0.0.1",
                    silence_logs=logging.CRITICAL,
                    # Threads of our own kernels: as many as the user says, or those that are left for each
                    # process.
                    env={
                        "HEAPSCOPE_THREADS": os.environ.get("HEAPSCOPE_THREADS")
                        or str(max(1, CPU_COUNT // count)),
                        "HEAPSCOPE_COMPILE_JOBS": "1",
                    },
                )
            )
        yield stack.enter_context(distributed.Client(cluster))


@contextmanager
def _safe_path() -> Iterator[None]:
    """Python processes that are started in the block load nothing from the current directory.

    Dask starts its workers, and Python what cleans up behind them, with ``-c``: root who stands in ``/tmp``
    would run a stranger's ``signal.py``.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C waits until the end of the block; threads and processes that begin in it never get it.

    A terminal sends it to the workers as well, each of which would print a traceback: this process ends them.
    """
    # Started later it would let this thread have Ctrl-C again (Python 3.11).
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _remote(address: str) -> Iterator[Any]:
    """A client of an existing cluster, whose workers offer their memory."""
    distributed = extras.distributed()
    try:
        with _quiet():
            client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise HeapscopeError(f"{scrub(address)}: no Dask scheduler answers: {problem_of(error)}") from None
    with _quiet(), client:
        try:
            client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        except TimeoutError:
            raise HeapscopeError(
                f"{scrub(address)}: the scheduler had no worker for {_WORKER_SECONDS} s; "
                "start some, then run again"
            ) from None
        client.register_plugin(_offer_memory())
        yield client


def _offer_memory() -> Any:
    """A plugin of Dask by which each worker, one that comes later too, offers the memory that it has."""
    distributed = extras.distributed()

    base: Any = distributed.WorkerPlugin

    class OfferMemory(base):  # type: ignore[misc]
        name = "heapscope offers memory"

        async def setup(self, worker: Any) -> None:
            from distributed.system import MEMORY_LIMIT

            limit = worker.memory_manager.memory_limit or int(MEMORY_LIMIT * _MEMORY_SHARE)
            await worker.set_resources(**{_MEMORY: limit})

    return OfferMemory()


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's own log says in many lines what the list of failures says in one."""
    names = ("distributed", "distributed.client", "distributed.core", "asyncio", "tornado.application")
    loggers = [logging.getLogger(name) for name in names]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


def _dashboard(client: Any) -> str:
    with suppress(Exception):  # it needs bokeh
        return str(client.dashboard_link or "")
    return ""


def _run(
    client: Any,
    works: Sequence[Work],
    folder: FleetFolder,
    state: RunState,
    watcher: Watcher,
    began: float,
) -> None:
    distributed = extras.distributed()
    offers = [
        each["resources"].get(_MEMORY, 0) for each in client.scheduler_info(n_workers=-1)["workers"].values()
    ]
    largest = max(offers, default=0)
    waiting = iter(works)
    work_of: dict[str, Work] = {}
    # Keys of this run alone: a task of another run of the same name may be another version's.
    run = f"{monotonic():.9f}"

    def submit(work: Work) -> Any:
        future = client.submit(
            sketch_of,
            work,
            key=f"heapscope-{work.source.identity}-{run}",
            retries=_RETRIES,
            resources={_MEMORY: min(estimated_bytes(work.source), largest)},
            pure=False,
        )
        work_of[future.key] = work
        return future

    slots = max(1, sum(client.nthreads().values())) * _UNDER_WAY
    finished = distributed.as_completed([submit(each) for each in itertools.islice(waiting, slots)])
    try:
        for future in finished:
            work = work_of.pop(future.key)
            _take(future, work, folder, state)
            future.release()
            state.seconds = monotonic() - began
            watcher(state)
            finished.update([submit(each) for each in itertools.islice(waiting, 1)])
    except distributed.CancelledError:
        raise HeapscopeError(
            "the Dask scheduler has gone; what is done stays, run the same command again for the rest"
        ) from None


def _take(future: Any, work: Work, folder: FleetFolder, state: RunState) -> None:
    """Write the sketch of a file that is done, or note why there is none."""
    distributed = extras.distributed()
    source = work.source
    try:
        result = future.result()
    except distributed.CancelledError:
        raise
    except distributed.scheduler.KilledWorker as error:
        result = (
            f"{error.allowed_failures + 1} workers ended while they read it, killed or out of memory; "
            "give it a worker with more"
        )
    except Exception as error:  # whatever the library of a protocol raises; Dask has tried again
        result = f"{problem_of(error)} (tried {_RETRIES + 1} times)"
    if isinstance(result, str):
        failure = Failure(source.identity, scrub(source.url), result)
        folder.add_failure(failure)
        state.failures.append(failure)
    else:
        folder.add(source.identity, result)
    state.done_count += 1
    state.done_bytes += source.byte_count
