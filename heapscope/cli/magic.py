"""``%load_ext heapscope``: every command as ``%heapscope COMMAND ...`` in IPython and Jupyter.

::

    %load_ext heapscope
    %heapscope suspects worker-3.hprof
    df = %heapscope growth leak-*.hprof

    %%heapsql leak-*.hprof
    SELECT snapshot, count(*) FROM objects GROUP BY 1

Tables and suspects are drawn as HTML, the rest is printed while the command runs.  A command that fails
says so below its output; nothing ends the kernel.  The exit code is ``_exit_code``, as after ``!command``.
"""

from __future__ import annotations

import gc
import os
import re
import shlex
from glob import glob
from html import escape
from typing import Any

from heapscope.cli.common.exit_codes import BUG, FAILED, FOUND, INTERRUPTED, TOO_EARLY, USAGE
from heapscope.extras import ipython_display

NAME = "heapscope"
SQL_NAME = "heapsql"
_MEANINGS = {
    FOUND: "a check found something",
    USAGE: "wrong usage",
    FAILED: "an error",
    TOO_EARLY: "too early to tell",
    BUG: "a bug in heapscope",
    INTERRUPTED: "interrupted",
}
_GLOB = re.compile(r"[*?\[]")


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext heapscope``: makes ``%heapscope`` known.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    """

    def magic(line: str) -> Any:
        """Run a heapscope command: %heapscope suspects worker-3.hprof; %heapscope alone shows them all.

        ``df = %heapscope growth leak-*.hprof`` takes the rows as a DataFrame, and draws nothing twice.
        """
        shell.user_ns["_exit_code"], answer = run_line(line)
        return None if answer is None else as_frame(answer, shell)

    def sql_magic(line: str, cell: str) -> Any:
        """Answer the query in a cell over dumps: %%heapsql leak-*.hprof."""
        from heapscope.analysis.snapshots import snapshots

        return snapshots(split_line(line)).sql(cell)

    shell.register_magic_function(magic, "line", NAME)
    shell.register_magic_function(sql_magic, "cell", SQL_NAME)


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext heapscope``: forgets ``%heapscope``."""
    shell.magics_manager.magics["line"].pop(NAME, None)
    shell.magics_manager.magics["cell"].pop(SQL_NAME, None)


def as_frame(answer: Any, shell: Any) -> Any:
    """A DataFrame of an answer, which the cell that drew the answer does not draw again.

    Parameters
    ----------
    answer : Table or anything with ``to_frame()``
    shell : IPython.core.interactiveshell.InteractiveShell
    """
    frame = answer.to_frame()
    drawn_in = shell.execution_count
    kind = type(frame)

    class Drawn(kind):  # type: ignore[misc, valid-type]  # pandas.DataFrame, imported when it is needed
        @property
        def _constructor(self) -> Any:
            return kind

        def _repr_html_(self) -> str | None:
            return "" if shell.execution_count == drawn_in else super()._repr_html_()

        def __repr__(self) -> str:
            return "" if shell.execution_count == drawn_in else super().__repr__()

    return Drawn(frame)


def run_line(line: str) -> tuple[int, Any]:
    """Run one command line as a shell would, its output drawn for a notebook.

    Returns
    -------
    code : int
        The exit code.
    answer : object or None
        What was drawn, if it is a table or something else with ``to_frame()``.
    """
    from heapscope.cli import main
    from heapscope.cli.common.notebook_output import drawing

    shown = ipython_display()

    def show(html: str) -> None:
        shown.display(shown.HTML(html))

    thresholds = gc.get_threshold()
    try:
        arguments = split_line(line) or ["--help"]
    except ValueError as error:  # a quotation that does not end
        show(_verdict(USAGE, f"{error}: {line}"))
        return USAGE, None
    try:
        with drawing(show) as drawn:
            code = main(arguments)
    finally:
        gc.set_threshold(*thresholds)  # a command is short, a kernel is not
    if code:
        show(_verdict(code))
    return code, next((each for each in reversed(drawn) if hasattr(each, "to_frame")), None)


def split_line(line: str) -> list[str]:
    """Words as a shell makes them: quotes, ``~``, and patterns of file names where files match.

    Raises
    ------
    ValueError
        A quotation does not end.
    """
    words = []
    for raw in shlex.split(line, posix=False):
        (word,) = shlex.split(raw) or [""]
        if raw[0] in "'\"":
            words.append(word)
            continue
        word = os.path.expanduser(word)
        found = sorted(glob(word)) if _GLOB.search(word) else []
        words += found or [word]
    return words


def _verdict(code: int, text: str = "") -> str:
    meaning = _MEANINGS.get(code, "")
    said = f"<div>{escape(text)}</div>" if text else ""
    return (
        '<div style="border-left: 4px solid #d0662a; padding: .1em .8em; margin: .3em 0">'
        f"{said}exit code <b>{code}</b>{f': {meaning}' if meaning else ''}</div>"
    )
