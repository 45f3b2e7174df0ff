"""Compile kernels ahead of need: on every core the first time, and for all users of an installation.

The first commands with an empty cache would compile one kernel after the other, for some 40 seconds on
one core.  So the process that finds them missing starts others (`call_help`), which compile the longest
first; a kernel that somebody compiles already is waited for, and meanwhile another one is compiled
(`compile_another`).

``python -m heapscope.kernel_build --shared`` compiles all of them into a folder of the installation, for
containers and machines where users cannot keep a cache.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from heapscope.isolated_python import isolated_python
from heapscope.machine_code import Kernel, shared_folder

# In the order in which a report needs them.
MODULES = (
    "heapscope.parser.kernels",
    "heapscope.parser.layout.kernels",
    "heapscope.heap.graph.kernels",
    "heapscope.heap.retention.kernels",
    "heapscope.analysis.growth.kernels",
    "heapscope.parser.broken.kernels",
    "heapscope.parser.redaction.kernels",
)
# Those that take a second or more to compile, measured: 8.0, 5.6, 3.6, 2.3, 2.0, 1.8, 1.4, 1.1, 1.0 s.
LONGEST = (
    "fill_references",
    "fill_columns",
    "scan_heap",
    "fill_offsets",
    "find_object",
    "mark_addresses",
    "semidominators",
    "list_records",
    "depth_first",
)
# What is missing below this is compiled without help.
FEW = 4
MOST_HELPERS = 3
JOBS_VARIABLE = "HEAPSCOPE_COMPILE_JOBS"


@cache
def usual_kernels() -> tuple[Kernel, ...]:
    """The kernels that dumps below 4 GiB need, the longest to compile first."""
    found = [variants[0] for module in MODULES for variants in _variants(module)]
    rank = {name: place for place, name in enumerate(LONGEST)}
    return tuple(sorted(found, key=lambda each: rank.get(each.name, len(rank))))


def all_kernels() -> list[Kernel]:
    """Every kernel with every width of integers."""
    return [each for module in MODULES for variants in _variants(module) for each in variants]


def _variants(module: str) -> Iterator[list[Kernel]]:
    """The kernels of a module; of one with several widths the narrow first, as it is declared."""
    for value in vars(import_module(module)).values():
        if isinstance(value, Kernel):
            yield [value]
        elif isinstance(value, dict) and value and all(isinstance(each, Kernel) for each in value.values()):
            yield list(value.values())


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether no other process compiles this kernel; the claim ends with the block, or with the process.

    Where the folder cannot be written to, everybody compiles for himself.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            with suppress(OSError):
                path.with_suffix(".lock").unlink()
    finally:
        os.close(handle)


def compile_another() -> bool:
    """Compile a kernel that is missing and that nobody compiles; whether there was one."""
    return any(each.keep() for each in usual_kernels())


@cache
def call_help() -> None:
    """Start processes that compile what is missing, one for each other core; they end with this process."""
    missing = sum(not each.is_kept() for each in usual_kernels())
    if missing <= FEW:
        return
    for _ in range(min(_jobs() - 1, MOST_HELPERS)):
        with suppress(OSError):
            helper = subprocess.Popen(
                isolated_python("heapscope.kernel_build", "--for", str(os.getpid())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            atexit.register(_end, helper)


def _jobs() -> int:
    with suppress(ValueError):
        return int(os.environ.get(JOBS_VARIABLE, ""))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end(helper: subprocess.Popen[bytes]) -> None:
    helper.terminate()
    helper.wait()


def main(arguments: list[str]) -> int:
    """``--shared``: all kernels into the installation; ``--for PID``: what is missing, while PID lives."""
    if arguments[:1] == ["--for"]:
        parent = int(arguments[1])
        for each in usual_kernels():
            if os.getppid() != parent:
                break
            each.keep()
        return 0
    folder = shared_folder() if arguments == ["--shared"] else None
    if arguments and folder is None:
        print("usage: python -m heapscope.kernel_build [--shared]", file=sys.stderr)
        return 2
    try:
        made = sum(each.keep(folder) for each in all_kernels())
    except OSError as error:
        print(f"kernels cannot be kept: {error}", file=sys.stderr)
        return 3
    print(f"{made} kernels compiled into {folder or 'the cache folder'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
