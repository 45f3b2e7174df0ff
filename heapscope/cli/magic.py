"""``%load_ext heapscope``: every command as ``%heapscope COMMAND ...`` in IPython and Jupyter.

::

    %load_ext heapscope
    %heapscope suspects worker-3.hprof

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

    def magic(line: str) -> None:
        """Run a heapscope command: %heapscope suspects worker-3.hprof; %heapscope alone shows them all."""
        shell.user_ns["_exit_code"] = run_line(line)

    shell.register_magic_function(magic, "line", NAME)


def unload_ipython_extension(shell: Any) -> None:
    """Called by ``%unload_ext heapscope``: forgets ``%heapscope``."""
    shell.magics_manager.magics["line"].pop(NAME, None)


def run_line(line: str) -> int:
    """Run one command line as a shell would, its output drawn for a notebook; returns the exit code."""
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
        return USAGE
    try:
        with drawing(show):
            code = main(arguments)
    finally:
        gc.set_threshold(*thresholds)  # a command is short, a kernel is not
    if code:
        show(_verdict(code))
    return code


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
