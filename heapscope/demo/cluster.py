"""The demo's processes: a parameter server and two workers, started together and ended together."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from heapscope.demo.hadoop import Hadoop, environment
from heapscope.demo.worker import READY
from heapscope.errors import NoDemo
from heapscope.isolated_python import isolated_python

WORKERS = 2
_END_SECONDS = 5.0


class Cluster:
    """A parameter server and workers; a context manager that ends them.

    Parameters
    ----------
    folder : Path
        Staged by `heapscope.demo.hadoop.stage`.
    leaks : bool
        Whether ``KERB_TICKET_CACHE_PATH`` is set.

    Raises
    ------
    NoDemo
        On entering: a process ended before it was ready; its last line says why.
    """

    def __init__(self, hadoop: Hadoop, folder: Path, *, leaks: bool) -> None:
        self._variables = environment(hadoop, folder, leaks=leaks)
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def worker_pids(self) -> list[int]:
        """By task index."""
        return [process.pid for process in self._processes[1:]]

    def read_until(self, count: int) -> None:
        """Have every worker read until it has done so ``count`` times, and wait for that.

        Raises
        ------
        NoDemo
            A worker ended.
        """
        workers = self._processes[1:]
        with suppress(OSError):  # of a worker that ended: its answer is missing below
            for process in workers:
                assert process.stdin is not None
                process.stdin.write(f"{count}\n")
                process.stdin.flush()
        for process in workers:
            assert process.stdout is not None
            if process.stdout.readline().strip() != str(count):
                raise NoDemo(f"worker {process.pid} of the demo ended before its {count:,} reads were done")

    def __enter__(self) -> Cluster:
        try:
            roles = [("ps", 0), *(("worker", index) for index in range(WORKERS))]
            logs = [self._start(role, index) for role, index in roles]
            for process, log in zip(self._processes, logs, strict=True):
                self._wait_until_ready(process, log)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self, role: str, index: int) -> Path:
        log = Path(tempfile.mkstemp(prefix=f"heapscope-demo-{role}-{index}-", suffix=".log")[1])
        with log.open("w") as file:
            self._processes.append(
                subprocess.Popen(
                    isolated_python("heapscope.demo.worker", f"--job_name={role}", f"--task_index={index}"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    text=True,
                    env=self._variables,
                )
            )
        return log

    def _wait_until_ready(self, process: subprocess.Popen[str], log: Path) -> None:
        assert process.stdout is not None
        is_ready = process.stdout.readline().strip() == READY
        said = log.read_text(errors="replace").splitlines()
        log.unlink()
        if not is_ready:
            raise NoDemo(
                f"process {process.pid} of the demo did not start: {said[-1] if said else 'no word'}"
            )

    def _end(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process in self._processes:
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._processes.clear()
