"""The prompt of ``heapscope sql``: queries one after the other, with history and completion."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heapscope.cache import cache_dir
from heapscope.errors import HeapscopeError
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.query.answer import QueryAnswer
    from heapscope.query.session import Session

PROMPT = "sql> "
MORE = "...> "
WELCOME = "End a query with ; or an empty line. Tab completes tables, columns and class names. Ctrl-D ends."
_HISTORY = "sql-history"
_HISTORY_LINES = 1000
_WORDS = ("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "DESCRIBE", "SUMMARIZE")


class Completion:
    """What Tab offers behind a word that was begun."""

    def __init__(self, session: Session) -> None:
        from heapscope.query.functions import FUNCTIONS

        columns = {"snapshot", *(column for table in session.types.values() for column in table)}
        self._plain = sorted({*_WORDS, *session.types, *columns, *(f"{name}(" for name in FUNCTIONS)})
        self._classes = session.class_names()

    def matches(self, begun: str) -> list[str]:
        """Whole words; a quote begins the name of a class, or of its last part.

        Parameters
        ----------
        begun : str
            What stands before the cursor, back to a blank, a comma, a bracket or an operator.
        """
        if begun.startswith('"'):
            wanted = begun[1:].lower()
            found = [name for name in self._classes if name.lower().startswith(wanted)]
            if not found and wanted:
                found = [name for name in self._classes if name.lower().rpartition(".")[2].startswith(wanted)]
            return [f'"{name}"' for name in found]
        return [word for word in self._plain if word.lower().startswith(begun.lower())] if begun else []


def run_prompt(
    session: Session, show: Callable[[QueryAnswer], None], read: Callable[[str], str] = input
) -> None:
    """Answer queries until the end of input; an error is said, and the next query asked for.

    Parameters
    ----------
    session : Session
    show : callable
        Called with each answer.
    read : callable
        Reads a line behind a prompt; raises EOFError at the end.
    """
    click.echo(WELCOME, err=True)
    with suppress(EOFError), _line_editor(session):
        while True:
            query = _read_query(read)
            if not query.strip(" ;\n"):
                continue
            try:
                show(session.run(query))
            except HeapscopeError as error:
                click.echo(f"heapscope: {printable(str(error))}", err=True)
            except KeyboardInterrupt:
                click.echo("interrupted", err=True)


def _read_query(read: Callable[[str], str]) -> str:
    lines: list[str] = []
    while True:
        try:
            line = read(MORE if lines else PROMPT)
        except KeyboardInterrupt:  # forgets what was typed, as shells do
            click.echo(err=True)
            lines.clear()
            continue
        lines.append(line)
        if line.rstrip().endswith(";") or not line.strip():
            return "\n".join(lines)


class _line_editor:  # noqa: N801  a context manager
    """GNU readline or libedit for as long as the prompt lasts; nothing where Python has neither."""

    def __init__(self, session: Session) -> None:
        self._completion = Completion(session)
        self._path = Path(cache_dir()) / _HISTORY
        self._readline: Any = None

    def __enter__(self) -> None:
        if not sys.stdin.isatty():
            return
        try:
            import readline
        except ImportError:
            return
        self._readline = readline
        # Dots, dollars and quotes are parts of a word here.
        readline.set_completer_delims(" \t\n,()=<>*+-/;")
        readline.set_completer(self._complete)
        is_libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
        with suppress(OSError):
            readline.read_history_file(self._path)

    def __exit__(self, *_: object) -> None:
        if self._readline is None:
            return
        self._readline.set_history_length(_HISTORY_LINES)
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Queries may name what only their author may see.
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._readline.write_history_file(self._path)

    def _complete(self, begun: str, number: int) -> str | None:
        found = self._completion.matches(begun)
        return found[number] if number < len(found) else None
