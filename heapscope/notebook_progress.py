"""A progress bar in a notebook: one line that is updated in place, and gone when the work is done.

Plain HTML through IPython's display protocol, so that every front end shows it without widgets.  Work of less
than half a second shows nothing, and the bar moves five times a second at most.
"""

from __future__ import annotations

import sys
import threading
import time
from html import escape
from typing import Any

from heapscope.extras import ipython_display

_PATIENCE_SECONDS = 0.5
_INTERVAL_SECONDS = 0.2


class NotebookBar:
    """A `heapscope.progress.Progress` for the cell that is running.

    Parameters
    ----------
    shell : InteractiveShell
        Tells when the cell ends: what is left of a bar then, after an error say, is taken away.
    """

    def __init__(self, shell: Any) -> None:
        self._lock = threading.Lock()
        self._handle: Any = None
        self._phase = ""
        self._began = self._updated = 0.0
        shell.events.register("post_run_cell", self._end)

    def __call__(self, phase: str, done: int, total: int, /) -> None:
        """See `heapscope.progress.Progress`; may be called from any thread."""
        with self._lock:
            now = time.monotonic()
            if not self._began:
                self._began = now
            is_over = done >= total
            if is_over:
                self._show("")
                return
            if now - self._began < _PATIENCE_SECONDS:
                return
            if phase == self._phase and now - self._updated < _INTERVAL_SECONDS:
                return
            self._phase, self._updated = phase, now
            self._show(_line(phase, done, total))

    def _show(self, text: str) -> None:
        shown = ipython_display()
        if self._handle is None:
            if text:
                self._handle = shown.display(shown.HTML(text), display_id=True)
        else:
            self._handle.update(shown.HTML(text))

    def _end(self, *_: object) -> None:
        with self._lock:
            self._show("")
            self._handle, self._phase, self._began = None, "", 0.0


def _line(phase: str, done: int, total: int) -> str:
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    return (
        '<div style="font: 13px system-ui, sans-serif; display: flex; gap: .8em; align-items: center">'
        f'<span style="opacity: .75">{escape(phase)}</span>'
        '<span style="display: inline-block; width: 14em; height: .55em; border-radius: 3px; '
        'background: rgba(128,128,128,.25); overflow: hidden">'
        f'<span style="display: block; height: 100%; width: {share:.0%}; background: #3b8fc7"></span></span>'
        f'<span style="opacity: .75; font-variant-numeric: tabular-nums">{share:.0%}</span></div>'
    )


_bar: NotebookBar | None = None


def bar() -> NotebookBar | None:
    """The bar of this process; None where IPython runs in a terminal, or not at all."""
    global _bar
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    if _bar is None:
        _bar = NotebookBar(shell)
    return _bar
