"""``heapscope FILE...`` without a command: which one fits the files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import click

from heapscope.cli.common.standard_input import STANDARD_INPUT, beginning, has_dump
from heapscope.errors import NotHprof
from heapscope.parser.numbered import split_number
from heapscope.reporter.text import printable


class FileKind(Enum):
    """What a file is, as far as its beginning tells: what it is called, and what many are called."""

    DUMP = "a heap dump", "heap dumps"
    HISTOGRAM = "a class histogram", "class histograms"
    SAMPLES = "samples of 'watch'", "samples of 'watch'"
    LOG = "a text", "texts"
    WEB_PAGE = "a web page", "web pages"


# A mix of these is a series of one process.
_SNAPSHOTS = {FileKind.DUMP, FileKind.HISTOGRAM}


def is_file(argument: str) -> bool:
    """Whether an argument names a file or folder that is there; ``worker.hprof#2`` too, and ``-``."""
    if argument == STANDARD_INPUT:
        return True
    try:
        return not argument.startswith("-") and split_number(argument)[0].exists()
    except OSError:  # too long for a name, a query say
        return False


def guess(arguments: Sequence[str]) -> list[str]:
    """The arguments with the command that fits their files in front.

    Parameters
    ----------
    arguments : sequence of str
        The first is a file or a folder.

    Raises
    ------
    click.UsageError
        The files are of kinds that no one command reads.
    NotHprof
        They are web pages, as a failed download leaves them.
    """
    files = [each for each in arguments if is_file(each)]
    kinds = {kind for each in files for kind in _kinds(split_number(each)[0])}
    if kinds <= _SNAPSHOTS:
        is_one_text = len(files) == 1 and kinds == {FileKind.HISTOGRAM} and not Path(files[0]).is_dir()
        command = "histogram" if is_one_text else "diagnose"
    elif kinds == {FileKind.LOG}:
        command = "explain-log"
    elif kinds == {FileKind.SAMPLES}:
        raise click.UsageError(
            f"These are samples of 'watch'. A chart of them is written by: {told('plot', arguments)}"
        )
    elif kinds == {FileKind.WEB_PAGE}:
        problem = "a web page, and no dump: the download failed, or it is of another file; download it again"
        raise NotHprof(files[0], None, problem)
    else:
        named = ", ".join(sorted(kind.value[1] for kind in kinds))
        raise click.UsageError(
            f"These are files of several kinds ({named}): name a command. 'heapscope --help' lists them."
        )
    return [command, *arguments]


def told(command: str, arguments: Sequence[str]) -> str:
    """What is said of a guess: the command line that would have said it."""
    return printable(f"heapscope {command} {shlex.join(arguments)}")


def _kinds(path: Path) -> list[FileKind]:
    if os.fspath(path) == STANDARD_INPUT:
        return [FileKind.DUMP if has_dump() else _kind_of(beginning(), path)]
    if not path.is_dir():
        return [_kind(path)]
    from heapscope.analysis.growth.snapshot import snapshot_files

    return [_kind(each) for each in snapshot_files(path)[:1]]


def _kind(path: Path) -> FileKind:
    """What a file is; what is neither text nor known is taken for a dump, whose reader says what is wrong."""
    from heapscope.parser.unpacking import HEAD_BYTES, PackingError, Unpacked, packing_of

    # What is read of a pipe is gone for the command, and one may wait for ever.
    if not path.is_file() or not os.access(path, os.R_OK):
        return FileKind.DUMP
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if packing_of(head) is not None:
        try:
            with Unpacked(path, lambda _: True) as inside:
                head = inside.head
        except PackingError:
            return FileKind.DUMP
    return _kind_of(head, path)


def _kind_of(head: bytes, path: Path) -> FileKind:
    from heapscope.parser.foreign_files import SAMPLE_COLUMNS, is_web_page, own_answer
    from heapscope.parser.tags import MAGIC_PREFIX
    from heapscope.parser.texts.class_histogram import is_histogram

    if head.startswith(MAGIC_PREFIX):
        return FileKind.DUMP
    if is_histogram(head):
        return FileKind.HISTOGRAM
    if head.startswith(SAMPLE_COLUMNS) or path.suffix == ".parquet":
        return FileKind.SAMPLES
    if own_answer(head) is not None:
        return FileKind.DUMP
    if is_web_page(head):
        return FileKind.WEB_PAGE
    is_text = b"\0" not in head and bool(head.strip())
    return FileKind.LOG if is_text else FileKind.DUMP
