"""A dump on standard input, ``-``: saved to a file until the command is done, for it is read again."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from heapscope.errors import HprofError
from heapscope.parser.tags import MAGIC_PREFIX

STANDARD_INPUT = "-"
_SAVED = "heapscope.standard input"
_OWN_FILES = Path("/proc/self/fd")


class DumpPath(click.Path):
    """A path; ``-`` stands for the file to which the dump on standard input is saved (texts are not)."""

    def __init__(self) -> None:
        # Existence is not checked here: the parser's errors say more, and end in exit code 3.
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        is_meant = os.fspath(value) == STANDARD_INPUT and ctx is not None and not ctx.resilient_parsing
        return (
            _saved(ctx) if is_meant and ctx is not None and has_dump() else super().convert(value, param, ctx)
        )


def has_dump() -> bool:
    """Whether a heap dump, or something compressed, comes from standard input; nothing of it is taken.

    Raises
    ------
    click.UsageError
        It is a terminal.
    """
    from heapscope.parser.unpacking import packing_of

    head = beginning()
    # A pipe may hand out a few bytes first.
    return bool(head) and (MAGIC_PREFIX.startswith(head[: len(MAGIC_PREFIX)]) or packing_of(head) is not None)


def beginning() -> bytes:
    """The first bytes of standard input, which stay there; none at its end.

    Raises
    ------
    click.UsageError
        It is a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("Nothing is piped into standard input: name a file, or pipe one in.")
    peek = getattr(sys.stdin.buffer, "peek", None)
    return b"" if peek is None else bytes(peek(1 << 16))


def is_saved(context: click.Context) -> bool:
    """Whether a dump came from standard input: no index of its file is of use to anybody."""
    return _SAVED in context.meta


def _saved(context: click.Context) -> Path:
    if _SAVED not in context.meta:
        try:
            with ExitStack() as kept:
                context.meta[_SAVED] = _save(kept)
                context.with_resource(kept.pop_all())
        except OSError as error:
            raise HprofError(
                "standard input",
                None,
                f"cannot be saved in {tempfile.gettempdir()}: {error.strerror}; set TMPDIR to a folder with "
                "room, or save it yourself",
            ) from None
    found: Path = context.meta[_SAVED]
    return found


def _save(kept: ExitStack) -> Path:
    """Save it where nothing stays even if this process is killed: the file has no name, but a link to it."""
    path = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="heapscope-"))) / "stdin.hprof"
    file: IO[bytes]
    if _OWN_FILES.is_dir():
        file = kept.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with what is kept
        path.symlink_to(_OWN_FILES / str(file.fileno()))
    else:  # macOS
        file = kept.enter_context(path.open("wb"))
    shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    file.flush()
    return path
