"""Notes of people on a heap, kept beside its index: ``explore`` writes them, ``report`` shows them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from heapscope.errors import HeapscopeError
from heapscope.files import new_file
from heapscope.heap.graph.index_file import index_path
from heapscope.reporter.remarks import Remark
from heapscope.reporter.text import printable
from heapscope.secrets import scrub
from heapscope.units import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heapscope.analysis.growth.snapshot import Snapshot

MAX_CHARACTERS = 4000
_MAX_NOTES = 1000
_SUFFIX = ".notes.json"


@dataclass(frozen=True, slots=True)
class Note:
    """A note.

    Attributes
    ----------
    page : str
        What it is about, as an address of the explorer: ``/objects/0xfd8cf318``.
    text : str
    written_at : str
        ISO 8601, UTC.
    """

    page: str
    text: str
    written_at: str


def notes_path(dump: Path, index_dir: Path | None = None) -> Path:
    """Where the notes on a dump are kept."""
    return index_path(dump, {}, index_dir).with_suffix(_SUFFIX)


def read_notes(dump: Path, index_dir: Path | None = None) -> list[Note]:
    """The notes on a dump, the oldest first; none where there is no file of notes.

    Raises
    ------
    HeapscopeError
        The file of notes is damaged.
    """
    path = notes_path(dump, index_dir)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    try:
        return [Note(str(one["page"]), str(one["text"]), str(one["written_at"])) for one in json.loads(raw)]
    except (ValueError, KeyError, TypeError) as error:
        raise HeapscopeError(f"{path}: these are no notes ({error}); move the file away") from None


def add_note(dump: Path, page: str, text: str, index_dir: Path | None = None) -> None:
    """Keep one more note on a dump.

    Raises
    ------
    HeapscopeError
        The note is empty or too long, there are too many, or the file of notes is damaged.
    OutputFailed
    """
    text = text.strip()
    if not text:
        raise HeapscopeError("an empty note is not kept")
    if len(text) > MAX_CHARACTERS:
        raise HeapscopeError(f"a note has at most {MAX_CHARACTERS:,} characters; this one has {len(text):,}")
    found = read_notes(dump, index_dir)
    if len(found) >= _MAX_NOTES:
        raise HeapscopeError(f"there are {_MAX_NOTES:,} notes on {dump.name}; take some away first")
    _write(dump, [*found, Note(page, text, iso_time(datetime.now(UTC), "seconds"))], index_dir)


def remove_note(dump: Path, number: int, index_dir: Path | None = None) -> None:
    """Take a note away; nothing happens where there is none of that number.

    Parameters
    ----------
    number : int
        From 0 on, in the order of `read_notes`.
    """
    found = read_notes(dump, index_dir)
    if 0 <= number < len(found):
        _write(dump, found[:number] + found[number + 1 :], index_dir)


def note_remarks(snapshots: Iterable[Snapshot], *, show_secrets: bool = False) -> tuple[Remark, ...]:
    """The notes on snapshots as a report shows them.

    Raises
    ------
    HeapscopeError
        A file of notes is damaged.
    """
    return tuple(
        Remark(
            "note",
            printable(f"{snapshot.name}, {note.page}, {note.written_at}"),
            # A remark is one paragraph; each line of a note is printable by itself.
            " / ".join(map(printable, (note.text if show_secrets else scrub(note.text)).splitlines())),
        )
        for snapshot in snapshots
        for note in read_notes(snapshot.path, snapshot.index_dir)
    )


def _write(dump: Path, notes: list[Note], index_dir: Path | None) -> None:
    path = notes_path(dump, index_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, force=True) as file:
        file.write(json.dumps([asdict(note) for note in notes], indent=1).encode())
