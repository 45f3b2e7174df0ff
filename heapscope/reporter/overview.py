"""Several processes side by side: a page with a row and a chart for each, and a report of each."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from heapscope.analysis.growth.sidecar import number_in
from heapscope.analysis.verdicts import HEALTHY, LEAK
from heapscope.errors import HeapscopeError
from heapscope.files import check_free, write_all
from heapscope.progress import Progress, no_progress
from heapscope.reporter import render
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.text import plural, printable

if TYPE_CHECKING:
    from heapscope.analysis.growth.same_process import Process
    from heapscope.analysis.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class ProcessPage:
    """One of several processes: what it is called, and the page that shows it."""

    label: str
    path: Path
    incident: Incident

    @property
    def heading(self) -> str:
        """What the process is called; its snapshots where nothing tells."""
        return self.incident.process_name or self.label

    @property
    def url(self) -> str:
        """Address of its page beside the overview."""
        return quote(self.path.name)

    @property
    def what(self) -> str:
        """What leaks, in figures; empty where nothing does."""
        diagnosis = self.incident.diagnosis
        return diagnosis.findings[0].what if diagnosis.findings else ""

    @property
    def runs_out(self) -> str:
        """When memory runs out, in words; empty without a forecast."""
        diagnosis = self.incident.diagnosis
        return diagnosis.runs_out[0] if diagnosis.runs_out else ""


def headline(pages: Sequence[ProcessPage]) -> tuple[str, str]:
    """Status of all processes together, and one plain sentence."""
    of_all = plural(len(pages), "process", "processes")
    found = [page.incident.diagnosis for page in pages]
    leaking = sum(each.is_sure for each in found)
    possible = sum(each.status == LEAK for each in found) - leaking
    if leaking:
        more = f", {possible} more may leak" if possible else ""
        return "leak", f"{leaking} of {of_all} {'leaks' if leaking == 1 else 'leak'}{more}"
    if possible:
        return "leak", f"{possible} of {of_all} may leak"
    grows = any(page.incident.status == "growth" for page in pages)
    what = "leak" if all(each.status == HEALTHY for each in found) else "known leak"
    return "growth" if grows else "steady", f"No {what} found in {of_all}"


def write_overview(
    snapshots: Snapshots,
    path: str | os.PathLike[str],
    *,
    patterns: Sequence[str] = (),
    force: bool = False,
    show_secrets: bool = False,
    limit_bytes: int | None = None,
    with_notes: bool = False,
    progress: Progress = no_progress,
) -> list[ProcessPage]:
    """Write a page with all processes side by side, and beside it a report of each.

    Parameters
    ----------
    snapshots : Snapshots
        Of several processes.
    path : str or path-like
        ``workers.html``; the reports are ``workers-1.html`` and so on, in order of the first snapshot of
        each process.

    Other parameters as `heapscope.report` has them.

    Raises
    ------
    HeapscopeError
        Another ending than ``.html``.
    OutputExists
        One of the files is there already, and ``force`` is false.  Nothing is written then.
    OutputFailed
        The system refuses to write.  Nothing half-written is left.
    """
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise HeapscopeError(f"{path}: several processes side by side are a page; its name ends in .html")
    processes = snapshots.processes(progress)
    paths = [path.with_name(f"{path.stem}-{number}.html") for number in range(1, len(processes) + 1)]
    for each in (path, *paths):
        check_free(each, force)
    pages = []
    for process, own in zip(processes, paths, strict=True):
        series = snapshots.at(process.members)
        incident = build_incident(
            series,
            patterns=patterns,
            show_secrets=show_secrets,
            force_series=True,
            limit_bytes=limit_bytes,
            with_notes=with_notes,
            progress=progress,
        )
        pages.append(ProcessPage(label(process, series), own, incident))
    sources = {os.path.realpath(snapshot.path) for snapshot in snapshots}
    if any(os.path.realpath(each) in sources for each in (path, *paths)):
        raise HeapscopeError(f"{path}: is one of the snapshots; name another file for the report")
    contents = [(page.path, render.render_html(page.incident).encode()) for page in pages]
    write_all([*contents, (path, render_overview(pages).encode())], force=force)
    return pages


def label(process: Process, snapshots: Snapshots) -> str:
    """``worker 3 (process 4711 on host)`` where a sidecar tells, else the names of the snapshots."""
    facts = snapshots[-1].sidecar.get("process")
    role = facts.get("role") if isinstance(facts, dict) else None
    index = number_in(snapshots[-1].sidecar, "process", "task_index")
    names = snapshots[0].name if len(snapshots) == 1 else f"{snapshots[0].name} to {snapshots[-1].name}"
    if isinstance(role, str) and role:
        task = f" {index}" if index is not None else ""
        return printable(f"{role}{task} ({process.label})")
    return printable(f"{process.label} ({names})" if process.label.startswith("process ") else names)


def render_overview(pages: Sequence[ProcessPage]) -> str:
    """The page with all processes."""
    environment = render.environment()
    script = environment.get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    status, sentence = headline(pages)
    # One scale for all, so that the heaps can be compared.
    top = max(max(page.incident.whole_heap.shallow_bytes) for page in pages)
    return (
        environment.get_template("overview.html.j2").render(
            pages=pages,
            status=status,
            headline=sentence,
            charts=[_chart(page, number, top) for number, page in enumerate(pages, 1)],
            span=render.span,
            style=Markup(environment.get_template("report.css").render()),
            script=Markup(script),
            script_digest=digest,
            generator=pages[0].incident.generator,
        )
        + "\n"
    )


def _chart(page: ProcessPage, number: int, top: int) -> Markup:
    """The whole heap of one process in bytes; empty for one snapshot."""
    from heapscope.reporter.charts import plots

    incident = page.incident
    if len(incident.snapshots) == 1:
        return Markup("")
    when = plots.timeline(incident.snapshots)
    figure = plots.growth_figure(incident.whole_heap, when, "shallow size", top=top)
    words = plots.growth_sentence(incident.whole_heap, when, "shallow size")
    return Markup(plots.figure_svg(figure, f"process{number}", f"{page.heading}: {words}"))
