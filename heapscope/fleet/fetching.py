"""The dumps of one process of a fleet, brought to this machine when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.errors import HeapscopeError, OutputFailed
from heapscope.files import MODE
from heapscope.fleet.processes import FleetProcess
from heapscope.fleet.sources import is_remote_address, sidecar_of, why_not
from heapscope.progress import Progress, no_progress
from heapscope.secrets import scrub

_NAMED = 8  # of the processes that a text may mean


def pick_process(processes: Sequence[FleetProcess], text: str) -> FleetProcess:
    """The process of a label or of ``host:pid``, or the only one whose label has a text in it.

    Raises
    ------
    HeapscopeError
        There is none, or there are several; the message names them.
    """
    found = [each for each in processes if text in (each.label, f"{each.host}:{each.pid}")]
    found = found or [each for each in processes if text in each.label]
    if len(found) == 1:
        return found[0]
    if not found:
        from difflib import get_close_matches

        near = get_close_matches(text, [each.label for each in processes], _NAMED, 0.3)
        hint = f"; near to it: {', '.join(near)}" if near else ""
        raise HeapscopeError(f"{text!r} is no process of this fleet{hint}")
    names = ", ".join(repr(each.label) for each in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    raise HeapscopeError(f"{text!r} may be one of {len(found):,} processes: {names}{more}; name one of them")


def fetch_files(addresses: Sequence[str], folder: Path, progress: Progress = no_progress) -> list[Path]:
    """Files on this machine: local ones where they are, copies of the others in a folder.

    A copy that is there already is taken for the file, if it has its length.

    Parameters
    ----------
    addresses : sequence of str
        As in `heapscope.fleet.processes.FleetProcess.sources`.
    folder : Path
        For copies; made if one is needed.

    Raises
    ------
    HeapscopeError
        A file is not there any more, or its file system refuses.
    OutputFailed, MissingDependency
    """
    remote = [each for each in addresses if is_remote_address(each)]
    names = _names(remote)
    found = []
    for address in addresses:
        if is_remote_address(address):
            progress("fetching dumps", remote.index(address), len(remote))
            found.append(_fetched(address, folder / names[address], folder))
        elif Path(address).exists():
            found.append(Path(address))
        else:
            raise HeapscopeError(f"{scrub(address)}: the dump is not there any more")
    return found


def _names(addresses: Sequence[str]) -> dict[str, str]:
    """The last part of each path; with its number in front where two are called the same."""
    last = [each.rpartition("/")[2] for each in addresses]
    is_unique = len(set(last)) == len(last)
    return {
        address: name if is_unique else f"{number}-{name}"
        for number, (address, name) in enumerate(zip(addresses, last, strict=True), 1)
    }


def _fetched(address: str, copy: Path, folder: Path) -> Path:
    fsspec = extras.fsspec("A fleet of dumps")
    unfinished = copy.with_name(f".{copy.name}.part")
    try:
        system, path = fsspec.core.url_to_fs(address)
        length = int(system.info(path)["size"])
        if copy.exists() and copy.stat().st_size == length:
            return copy
        if copy.exists():
            raise HeapscopeError(f"{copy}: it is there, and is not {scrub(address)}; name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        _, beside = fsspec.core.url_to_fs(sidecar_of(address))
        try:
            if system.exists(beside):
                _copy(system, beside, unfinished, copy.with_name(f"{copy.name}.json"))
            _copy(system, path, unfinished, copy)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
    except HeapscopeError:
        raise
    except Exception as error:  # whatever the library of a protocol raises
        where = getattr(error, "filename", None)
        if isinstance(error, OSError) and where is not None and str(where).startswith(str(folder)):
            raise OutputFailed(folder, error.strerror or str(error)) from None
        raise HeapscopeError(f"{scrub(address)}: {why_not(error)}") from None
    return copy


def _copy(system: Any, path: str, unfinished: Path, target: Path) -> None:
    unfinished.touch(MODE)
    system.get_file(path, os.fspath(unfinished))
    unfinished.rename(target)
