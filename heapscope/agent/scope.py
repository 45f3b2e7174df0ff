"""Which files may be read: those that were named at the start, and those in the folders that were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from heapscope.analysis.growth.snapshot import snapshot_files
from heapscope.errors import HeapscopeError

_MOST_LOGS = 200
_LOG_ENDINGS = (".log", ".log.gz", ".out", ".err", ".txt", ".txt.gz")
_NO_LOGS = (".histogram.txt",)


class OutOfScope(HeapscopeError):
    """A file that was not named at the start, nor lies in a folder that was."""


class Scope:
    """The files and folders that the server was started with.

    A file has the name by which clients ask for it: its path below the folder, or its own name.  A symbolic
    link is followed before it is judged: one that leads out of the folder is out of scope, and so is a file
    with a companion that does (``NAME.json``, ``NAME.p0``: such files are read with it).

    Parameters
    ----------
    given : sequence of path-like
        At least one.

    Raises
    ------
    HeapscopeError
        One of them does not exist.
    """

    def __init__(self, given: Sequence[str | os.PathLike[str]]) -> None:
        self._roots: list[Path] = []
        for each in given:
            path = Path(each)
            if not path.exists():
                raise HeapscopeError(f"{path}: no such file or directory")
            self._roots.append(path.resolve())

    @property
    def roots(self) -> tuple[Path, ...]:
        """Files and folders, without links."""
        return tuple(self._roots)

    def resolve(self, name: str) -> Path:
        """The file or folder that a client names.

        Raises
        ------
        OutOfScope
            There is no such file among those that may be read; whether there is one elsewhere is not said.
        """
        if name and "\0" not in name:
            for root in self._roots:
                for candidate in self._candidates(root, name):
                    path = candidate.resolve()
                    if path.exists() and self._is_inside(path):
                        return path
        raise OutOfScope(
            f"{name!r} is not among what this server may read; 'open' lists what is there, and a restart "
            "with another file or folder adds it"
        )

    def name_of(self, path: Path) -> str:
        """The name by which a client asks for a file."""
        path = path.resolve()
        for root in self._roots:
            if path == root:
                return path.name
            if path.is_relative_to(root):
                return str(path.relative_to(root))
        return path.name

    def snapshots(self, names: Iterable[str] = ()) -> list[Path]:
        """Heap dumps and class histograms: all, or those that are named, a folder standing for its own.

        Raises
        ------
        OutOfScope
        HeapscopeError
            There is none.
        """
        wanted = list(names)
        given = [self.resolve(name) for name in wanted] if wanted else self._roots
        found = []
        for path in given:
            if path.is_dir() and not wanted:
                found += [each for each in _files_of(path) if self._is_inside(each.resolve())]
            elif path.is_dir() or wanted or not _is_log(path):
                found += [each.resolve() for each in snapshot_files(path) if self._is_inside(each.resolve())]
        found = list(dict.fromkeys(found))
        if not found:
            raise HeapscopeError("there is no heap dump and no class histogram among what may be read")
        return found

    def logs(self) -> list[str]:
        """Names of what looks like a log, two hundred at most."""
        found = []
        for root in self._roots:
            entries = sorted(root.iterdir()) if root.is_dir() else [root]
            found += [each for each in entries if _is_log(each) and self._is_inside(each.resolve())]
        return [self.name_of(each) for each in found[:_MOST_LOGS]]

    @staticmethod
    def _candidates(root: Path, name: str) -> list[Path]:
        if root.is_dir():
            return [root / name]  # an absolute name stays what it is: it is judged by where it lies
        return [root] if name in (root.name, str(root)) or Path(name).resolve() == root else []

    def _is_inside(self, path: Path) -> bool:
        """Whether a file without links, and what would be read with it, lies in a root."""
        if not self._has(path):
            return False
        if path.is_dir():
            return True
        stem = path.name.partition(".")[0]
        companions = [Path(each) for each in os.scandir(path.parent) if each.name.startswith(stem)]
        return all(self._has(each.resolve()) for each in companions if each.is_symlink())

    def _has(self, path: Path) -> bool:
        return any(path == root or (root.is_dir() and path.is_relative_to(root)) for root in self._roots)


def _files_of(folder: Path) -> list[Path]:
    """The snapshots of a folder; none is no error where other folders have some."""
    try:
        return snapshot_files(folder)
    except HeapscopeError:
        return []


def _is_log(path: Path) -> bool:
    name = path.name.lower()
    return (
        path.is_file()
        and (name.endswith(_LOG_ENDINGS) or name.startswith("hs_err"))
        and not name.endswith(_NO_LOGS)
        and not name.startswith(".")
    )
