"""The process that reads dumps: questions as JSON lines on standard input, answers on standard output.

::

    {"id": 1, "tool": "diagnose", "arguments": {...}}        to it
    {"id": 1, "progress": ["references", 10, 100]}           from it, some times a second
    {"id": 1, "answer": "{...}"}  or  {"id": 1, "problem": "..."}

It is started by `heapscope.agent.analyst`, with its settings as JSON in the one argument.  Questions about
different dumps are answered at the same time.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from heapscope.agent.answer import Answer
from heapscope.agent.collecting import Collecting
from heapscope.agent.disclosure import Disclosure
from heapscope.agent.heap_answers import paths, retained, suspects, threads
from heapscope.agent.log_answers import explain_log
from heapscope.agent.object_answers import objects, referrers
from heapscope.agent.scope import Scope
from heapscope.agent.series_answers import check, diagnose, growth, histogram, open_snapshots
from heapscope.agent.settings import Settings
from heapscope.agent.sql_answers import sql
from heapscope.agent.workspace import Workspace
from heapscope.errors import DifferentProcesses, HeapscopeError, HistogramError
from heapscope.progress import Progress
from heapscope.reporter.text import printable
from heapscope.secrets import scrub

TOOLS: dict[str, Callable[..., Answer]] = {
    "open": open_snapshots,
    "diagnose": diagnose,
    "growth": growth,
    "suspects": suspects,
    "histogram": histogram,
    "objects": objects,
    "referrers": referrers,
    "paths": paths,
    "retained": retained,
    "sql": sql,
    "threads": threads,
    "check": check,
    "explain_log": explain_log,
}
_THREADS = 2
_PROGRESS_SECONDS = 0.25
_LONGEST_PROBLEM = 600


class _Out:
    """Standard output, one line at a time, whichever thread writes."""

    def __init__(self) -> None:
        # What libraries print must not come between the lines.
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def write(self, document: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(document) + "\n")
            self._file.flush()


def main() -> None:
    """Answer until standard input ends."""
    settings = Settings.from_json(sys.argv[1])
    work = Workspace(
        Scope(settings.paths),
        Disclosure(settings.show_values),
        keeping={"index_dir": settings.index_dir or None, "use_index": settings.use_index},
    )
    out = _Out()
    tools = dict(TOOLS)
    if settings.collect_to:
        collecting = Collecting(Path(settings.collect_to))
        tools |= {"ps": collecting.ps, "collect": collecting.collect}
    with ThreadPoolExecutor(_THREADS) as pool:
        for line in sys.stdin:
            question = json.loads(line)
            pool.submit(_answer, tools, question, work, settings, out)


def _answer(
    tools: dict[str, Callable[..., Answer]],
    question: dict[str, Any],
    work: Workspace,
    settings: Settings,
    out: _Out,
) -> None:
    number = question["id"]
    try:
        tool = tools[question["tool"]]
        said = tool(work, _progress(number, out), **question["arguments"]).text(settings.answer_bytes)
        out.write({"id": number, "answer": said})
    except HeapscopeError as error:
        out.write({"id": number, "problem": _problem(error, work)})
    except MemoryError:
        said = "out of memory: ask about fewer or smaller dumps, or start the server on a larger machine"
        out.write({"id": number, "problem": said})
    except Exception as error:
        traceback.print_exc()  # to standard error: it may quote the dump
        said = f"a bug of heapscope ({type(error).__name__}); the server's standard error has the traceback"
        out.write({"id": number, "problem": said})


def _problem(error: HeapscopeError, work: Workspace) -> str:
    """An error as clients may see it: without the lines that it quotes."""
    said = str(error)
    if isinstance(error, DifferentProcesses):  # it names hosts
        names = "; ".join(", ".join(of_one[:3]) for _, of_one in error.processes[:4])
        said = f"snapshots of {len(error.processes)} processes are no series: {names}; name those of one"
    if isinstance(error, HistogramError) and not work.disclosure.values:
        said = f"{work.scope.name_of(Path(error.path))}: line {error.line:,}, byte {error.offset:,}: "
        said += "this is no row of a class histogram"
    for root in work.scope.roots:
        said = said.replace(f"{root}/", "").replace(str(root), root.name)
    return scrub(printable(said))[:_LONGEST_PROBLEM]


def _progress(number: int, out: _Out) -> Progress:
    """Progress as lines, some times a second, and each phase once at least."""
    last_phase, last_time = "", 0.0

    def tell(phase: str, done: int, total: int, /) -> None:
        nonlocal last_phase, last_time
        now = time.monotonic()
        if phase != last_phase or now - last_time > _PROGRESS_SECONDS:
            last_phase, last_time = phase, now
            out.write({"id": number, "progress": [phase, done, total]})

    return tell


if __name__ == "__main__":
    main()
