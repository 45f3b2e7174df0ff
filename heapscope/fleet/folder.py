"""The folder of a fleet: a folder for each sketch, which appears whole or not at all.

::

    DIR/fleet.json                      what the folder is
    DIR/<identity>/<table>.parquet      a sketch
    DIR/.failed/<identity>.json         a file that could not be read, and why
    DIR/.unfinished/                    sketches that are being written
    DIR/.lock                           held by every run that writes
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from heapscope.errors import HeapscopeError, OutputExists, OutputFailed
from heapscope.files import new_file
from heapscope.fleet.schema import SCHEMA_VERSION

_ABOUT = "fleet.json"
_FAILED, _UNFINISHED, _LOCK = ".failed", ".unfinished", ".lock"
_IDENTITY_DIGITS = 32


@dataclass(frozen=True)
class Failure:
    """A file that could not be read."""

    identity: str
    source: str
    problem: str


class FleetFolder:
    """The folder of a fleet.

    Parameters
    ----------
    path : Path
    create : bool
        Whether it is made where it is not there.

    Raises
    ------
    HeapscopeError
        It holds something else, or sketches of another version.
    OutputFailed
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        try:
            if create:
                self._create()
            about = json.loads((path / _ABOUT).read_text(encoding="utf-8"))
            version = about["schema_version"]
        except (FileNotFoundError, NotADirectoryError):
            raise HeapscopeError(
                f"{path}: this is no folder of a fleet; 'heapscope fleet run SOURCES... -o {path}' makes one"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise HeapscopeError(f"{path / _ABOUT}: it is broken; make the folder anew") from None
        except OSError as error:
            raise OutputFailed(path, error.strerror or str(error)) from None
        if version != SCHEMA_VERSION:
            raise HeapscopeError(
                f"{path}: sketches of version {version}, and this heapscope reads {SCHEMA_VERSION}; "
                "make them anew in another folder"
            )

    def _create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        is_empty = all(each.name.endswith(".part") for each in self.path.iterdir())
        if (self.path / _ABOUT).exists():
            return
        if not is_empty:
            raise HeapscopeError(f"{self.path}: this folder is not empty, and no fleet's; name a new one")
        with suppress(OutputExists), new_file(self.path / _ABOUT) as file:  # another run may be faster
            about = {"format": "heapscope fleet", "schema_version": SCHEMA_VERSION}
            file.write(json.dumps(about).encode() + b"\n")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A run that adds sketches: what killed runs left is removed, unless another run is at work.

        Raises
        ------
        OutputFailed
        """
        try:
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputFailed(self.path, error.strerror or str(error)) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(self.path / _UNFINISHED, ignore_errors=True)
            except OSError:
                pass  # another run, or a file system without locks
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def identities(self) -> set[str]:
        """Of the sketches that are there."""
        return {
            entry.name
            for entry in os.scandir(self.path)
            if len(entry.name) == _IDENTITY_DIGITS and not entry.name.startswith(".")
        }

    def add(self, identity: str, tables: Mapping[str, bytes]) -> None:
        """Write a sketch; where another process was faster, its own stays.

        Raises
        ------
        OutputFailed
        """
        made = self.path / _UNFINISHED / f"{identity}-{secrets.token_hex(4)}"
        try:
            made.mkdir(parents=True, mode=0o700)
            try:
                for name, data in tables.items():
                    with (made / f"{name}.parquet").open("xb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())
                with suppress(FileExistsError):
                    made.rename(self.path / identity)
            except OSError as error:
                if not (self.path / identity).is_dir():  # ENOTEMPTY: another process was faster
                    raise error
            finally:
                shutil.rmtree(made, ignore_errors=True)
                (self.path / _FAILED / f"{identity}.json").unlink(missing_ok=True)
        except OSError as error:
            raise OutputFailed(
                self.path,
                f"{error.strerror or error}; what is done stays, run the same command again for the rest",
            ) from None

    def add_failure(self, failure: Failure) -> None:
        """Note a file that could not be read; the next run tries it again.

        Raises
        ------
        OutputFailed
        """
        if (self.path / failure.identity).is_dir():  # another run has read it
            return
        folder = self.path / _FAILED
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputFailed(folder, error.strerror or str(error)) from None
        with new_file(folder / f"{failure.identity}.json", force=True) as file:
            file.write(json.dumps(asdict(failure), ensure_ascii=True).encode() + b"\n")

    def failures(self) -> list[Failure]:
        """The files that could not be read, by their addresses."""
        found = []
        for path in sorted((self.path / _FAILED).glob("*.json")):
            with suppress(OSError, ValueError, TypeError):
                found.append(Failure(**json.loads(path.read_text(encoding="utf-8"))))
        return sorted(found, key=lambda each: each.source)

    def forget_failures(self, sources: Set[str]) -> None:
        """Remove the notes on some addresses, which are read again."""
        for each in self.failures():
            if each.source in sources:
                (self.path / _FAILED / f"{each.identity}.json").unlink(missing_ok=True)
