"""What a worker does with one file: fetch it, reduce it to a sketch, forget it."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.errors import HeapscopeError, HprofError
from heapscope.fleet.sketch import make_sketch
from heapscope.fleet.sources import Source, local_name, sidecar_of, version_of
from heapscope.secrets import scrub
from heapscope.units import format_bytes

# What is left free on the scratch disk: others write there, too.
_LEFT_FREE_BYTES = 64 << 20
_LONGEST_PAUSE = 30.0  # seconds


@dataclass(frozen=True)
class Work:
    """One file to be read.

    Attributes
    ----------
    source : Source
    partial : bool
        Whether of a broken dump what can be read is taken.
    version : str
        Of heapscope, for the sketch.
    scratch : str
        Folder for copies of remote files; empty: the worker's own.
    """

    source: Source
    partial: bool
    version: str
    scratch: str = ""


def sketch_of(work: Work) -> dict[str, bytes] | str:
    """The tables of a sketch; or in words why the file cannot be read, which trying again does not change.

    Raises
    ------
    Exception
        The file cannot be had now: it may be, some time later or elsewhere.  Most are an OSError; botocore,
        for one, has errors of its own.  Dask tries again at once, so it is raised after a pause, each time a
        longer one.
    """
    try:
        return _read(work)
    except (FileNotFoundError, PermissionError) as error:
        return f"{problem_of(error)}; it was there when the run began"
    except Exception:
        _pause(work.source.identity)
        raise


def _read(work: Work) -> dict[str, bytes] | str:
    if work.source.is_remote:
        where = work.scratch or _scratch() or tempfile.gettempdir()
        try:
            made = tempfile.TemporaryDirectory(prefix="heapscope-", dir=where)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            return f"the scratch folder {where}: {error.strerror or error}; --scratch names another"
        with made as folder:
            copy = _fetch(work.source, Path(folder))
            return copy if isinstance(copy, str) else _sketch(work, copy)
    path = Path(work.source.url)
    before = path.stat()
    if before.st_size != work.source.byte_count:
        return _changed(work.source, before.st_size)
    found = _sketch(work, path)
    after = path.stat()
    # What was read of a file that is being written counts for nothing: no sketch of it, and no error in it.
    was, now = ((each.st_size, each.st_mtime_ns, each.st_ino) for each in (before, after))
    if now != was:
        return _changed(work.source, after.st_size)
    return found


_tried: Counter[str] = Counter()  # in this worker


def _pause(identity: str) -> None:
    """1, 2, 4 seconds, less up to half of it by chance: workers do not come back all at once."""
    time.sleep(min(_LONGEST_PAUSE, 2 ** _tried[identity]) * random.uniform(0.5, 1))
    _tried[identity] += 1


def _sketch(work: Work, path: Path) -> dict[str, bytes] | str:
    try:
        return make_sketch(
            path,
            work.source.identity,
            work.source.url,
            file_bytes=work.source.byte_count,
            labels=work.source.labels,
            version=work.version,
            partial=work.partial,
        )
    except HprofError as error:
        # The path of a copy in a scratch folder means nothing to the reader.
        return scrub(str(error).removeprefix(f"{error.path}: "))
    except HeapscopeError as error:
        return scrub(str(error))
    except MemoryError:
        return "out of memory; give it a worker with more"


def _scratch() -> str | None:
    """The folder of the Dask worker that this runs in, which Dask removes; None outside of one."""
    from distributed import get_worker

    with suppress(ValueError):
        folder: str = get_worker().local_directory
        return folder
    return None


def _fetch(source: Source, folder: Path) -> Path | str:
    """A copy of a remote file, and of its sidecar where there is one; or in words why there is none."""
    fsspec = extras.fsspec("A fleet of dumps", "fleet")
    free = shutil.disk_usage(folder).free
    if source.byte_count + _LEFT_FREE_BYTES > free:
        raise OSError(
            ENOSPC,
            f"the scratch folder {folder.parent} has {format_bytes(free)} free, "
            f"and the dump of {format_bytes(source.byte_count)} must leave {format_bytes(_LEFT_FREE_BYTES)} "
            "to others; --scratch names another",
        )
    system, path = fsspec.core.url_to_fs(source.url)
    copy = folder / local_name(source)
    before = _state(system, path)
    try:
        system.get_file(path, os.fspath(copy))
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        raise OSError(
            error.errno, f"the scratch folder {folder.parent} is full; --scratch names another"
        ) from None
    size = copy.stat().st_size
    if size != source.byte_count or _state(system, path) != before:
        return _changed(source, size)
    _, beside = fsspec.core.url_to_fs(sidecar_of(source.url))
    # Asked for first: libhdfs writes a line to stderr for each file that is opened and not there.
    if system.exists(beside):
        system.get_file(beside, f"{copy}.json")
    return copy


def _state(system: Any, path: str) -> tuple[int, str] | None:
    """Length and version of a remote file, as its store has them now; None where it does not tell.

    fsspec says of a web server that is away that the file is not there: reading it says which it is.
    """
    system.invalidate_cache()
    try:
        info = system.info(path)
    except FileNotFoundError:
        return None
    return int(info.get("size") or 0), version_of(info)


def _changed(source: Source, size: int) -> str:
    if size == source.byte_count:
        return "it was written while it was read; run again when it is whole"
    return f"it had {source.byte_count:,} bytes and has {size:,} now; run again when it is whole"


def estimated_bytes(source: Source) -> int:
    """Memory that reading a file takes at most, from its size.

    Measured: 1.6 times the dump and 0.3 GB; packed dumps inflate to seven times their size, mostly.
    """
    inflated = source.byte_count * (7 if source.url.endswith((".gz", ".zst", ".xz", ".bz2")) else 1)
    return _BASE_BYTES + int(_MEMORY_FACTOR * inflated)


_BASE_BYTES, _MEMORY_FACTOR = 300 << 20, 1.6


def problem_of(error: BaseException) -> str:
    """What is wrong with a file, from the exception of a task, in one line."""
    words: Any = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return scrub(" ".join(str(words).split())[:500])
