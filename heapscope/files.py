"""Files that appear whole or not at all, and that only their owner can read.

What is written is beside its place under a hidden name, and gets its own name when it is whole and on the
disk.  Killed, a writer leaves at most that hidden file; a full disk or a missing right leaves nothing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from heapscope.errors import OutputExists, OutputFailed

MODE = 0o600  # dumps, and what is told of them, hold secrets
# Files of samples: the collector writes them, analysis reads them.
SAMPLE_SUFFIXES = (".parquet", ".csv", ".jsonl")


def sample_journal(path: Path) -> Path:
    """Where the newest rows of a Parquet file of samples are while, or after, a watch writes it."""
    return path.with_name(f".{path.name}.rows")


def check_free(path: Path, force: bool = False) -> None:
    """Refuse a place that is taken, before any work is done.

    Raises
    ------
    OutputExists, OutputFailed
    """
    if path.is_dir():
        raise OutputFailed(path, "it is a folder; name a file in it")
    if not force and os.path.lexists(path):
        raise OutputExists(path)


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """Write a file: it takes its name when the block ends without an exception.

    ::

        with new_file(Path("out.hprof")) as file:
            file.write(...)

    Parameters
    ----------
    force : bool
        Whether a file of that name is replaced; its rights are kept.

    Raises
    ------
    OutputExists
        A file of that name is there, also where another process made it meanwhile.
    OutputFailed
        The system refuses to write.
    """
    check_free(path, force)
    part = path.with_name(f".heapscope-{secrets.token_hex(8)}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), MODE)
        try:
            with open(fd, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            put(part, path, force=force)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, OutputFailed | OutputExists):
            raise
        raise OutputFailed(path, error.strerror or str(error)) from error


def put(part: Path, path: Path, *, force: bool = False) -> None:
    """Give a finished file its name.

    Raises
    ------
    OutputExists
    OSError
    """
    if force:
        # Who opened an old file to others meant it.
        with suppress(OSError):
            os.chmod(part, path.stat().st_mode & 0o777)
        os.replace(part, path)
    else:
        try:
            os.link(part, path)  # unlike rename it fails where another process was faster
        except FileExistsError:
            raise OutputExists(path) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise OutputExists(path) from None
            os.replace(part, path)
    # The name is as safe as the bytes only when the folder is written, too.
    with suppress(OSError):
        fd = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_all(outputs: Sequence[tuple[Path, bytes]], *, force: bool) -> None:
    """Write all files or none: each beside its place first, then all named.

    Raises
    ------
    OutputExists, OutputFailed
    """
    parts: list[Path] = []
    placed: list[Path] = []
    is_done = False
    target = outputs[-1][0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for target, content in outputs:
            part = target.with_name(f".heapscope-{secrets.token_hex(8)}.part")
            parts.append(part)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for part, (target, _) in zip(list(parts), outputs, strict=True):
            is_new = not os.path.lexists(target)
            put(part, target, force=force)
            part.unlink(missing_ok=True)
            parts.remove(part)
            if is_new:
                placed.append(target)
        is_done = True
    except OSError as error:
        raise OutputFailed(target, error.strerror or str(error)) from error
    finally:
        for path in parts + ([] if is_done else placed):
            path.unlink(missing_ok=True)
