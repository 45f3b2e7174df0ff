"""Incidents as HTML, Markdown, JSON and PDF, and as files.

The same incident gives the same bytes: no time of day, no random id; and no path but, as it was given, in the
commands that it advises.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from heapscope import extras
from heapscope.analysis.growth.subjects import MAX_SUBJECTS
from heapscope.analysis.verdicts import GROWS, PERHAPS
from heapscope.errors import HeapscopeError
from heapscope.files import check_free, write_all
from heapscope.progress import Progress, default_progress
from heapscope.reporter.charts.icicle import holder_picture
from heapscope.reporter.charts.sparkline import sparkline
from heapscope.reporter.diagnosis import SURENESS, describe_group
from heapscope.reporter.forecast import forecast_sentence
from heapscope.reporter.incident import SCHEMA_VERSION, Incident, build_incident
from heapscope.reporter.markup import breakable, coded, dated, json_block, words
from heapscope.reporter.outlook import outlook_sentence
from heapscope.reporter.pdf import font_faces, render_pdf
from heapscope.reporter.rows import ClassChange, ClassSize, WatchedClass
from heapscope.reporter.text import format_rate, markdown_code, markdown_text, plural, shorten
from heapscope.units import format_bytes, format_count, format_duration, format_time

if TYPE_CHECKING:
    from heapscope.analysis.snapshots import Snapshots

ENDINGS = (".html", ".md", ".json", ".pdf")

# GitHub's and GitLab's limits for a comment are 65,536 and 1,000,000 characters.
MAX_MARKDOWN_CHARACTERS = 64_000
# Rows of a table and characters of a value, tried in turn until the text fits into a ticket.
_MARKDOWN_BUDGETS = ((25, 1000), (25, 200), (10, 120), (5, 60))

_TRENDS = {
    "grew every time": "▲ grew every time",
    "grew": "▲ grew",
    "unchanged": "= unchanged",
    "varied": "~ no clear trend",
    "fell": "▼ fell",
    "absent": "not in the heap",
    "one snapshot": "one snapshot",
}
_GROWS: dict[str, str] = {GROWS: "yes", PERHAPS: "perhaps"}


def render_html(incident: Incident) -> str:
    """One page with everything in it; it can be read without scripts and loads nothing."""
    script = environment().get_template("report.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _render_page(incident, paper="", script=Markup(script), script_digest=digest)


def render_paper(incident: Incident) -> str:
    """The page as `heapscope.reporter.pdf` lays it out: its own style sheet, dates, plain colours."""
    from heapscope.reporter.charts.plots import on_paper

    sheet = environment().get_template("paper.css").render()
    page = _render_page(incident, paper=Markup(f"{font_faces()}\n{sheet}"), script=None, script_digest="")
    page = re.sub(r"<svg .*?</svg>", lambda match: on_paper(match[0]), page, flags=re.DOTALL)
    # WeasyPrint breaks lines at spaces without width, not at <wbr>.
    return page.replace("<wbr>", "\u200b")


def _render_page(incident: Incident, **parts: object) -> str:
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            incident=incident,
            span=span(incident),
            spark=_sparklines(incident),
            finding_charts=_finding_charts(incident),
            more_changes=json_block([_change_cells(one, incident) for one in incident.more_changes]),
            more_classes=json_block([_size_cells(one) for one in incident.more_classes]),
            outlook_chart=_outlook_chart(incident),
            **_outlook_words(incident),
            style=Markup(style_sheet()),
            **parts,
        )
    )
    return f"{page}\n"


def render_markdown(incident: Incident, chart_names: Mapping[str, str], outlook_name: str = "") -> str:
    """Markdown that fits into a ticket.

    Parameters
    ----------
    incident : Incident
    chart_names : mapping of str to str
        Class name of a watched class to the file name of its picture, see `chart_names`.
    outlook_name : str
        File name of the picture of the outlook, see `outlook_name`; empty: there is none.
    """
    text = ""
    for rows, characters in _MARKDOWN_BUDGETS:
        text = _render_markdown(incident, chart_names, outlook_name, rows, characters)
        if (rows, characters) != _MARKDOWN_BUDGETS[0]:
            text += "\nShortened to what a ticket takes; the page (`-o report.html`) has all of it.\n"
        if len(text) <= MAX_MARKDOWN_CHARACTERS:
            return text
    note = "\n\n(cut here: longer than a ticket takes)\n"
    return text[: MAX_MARKDOWN_CHARACTERS - len(note)].rpartition("\n")[0] + note


def render_json(incident: Incident) -> str:
    """JSON that follows ``schema/incident-1.schema.json``."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(incident)}
    del document["more_changes"], document["more_classes"]
    # Version 1 of the schema has `trend` and `is_growing` for them, and `outlook` has verdicts.
    for series in (*document["watched_classes"], document["whole_heap"]):
        del series["verdict"], series["is_larger"]
    for change in document["changes"]:
        del change["verdict"]
    for snapshot in document["snapshots"]:
        if not snapshot["uncertain"]:
            del snapshot["read_share"], snapshot["uncertain"]
    return json.dumps(document, indent=2) + "\n"


def write_report(
    snapshots: Snapshots,
    path: str | os.PathLike[str],
    *,
    patterns: Sequence[str] = (),
    top: int = 25,
    force: bool = False,
    show_secrets: bool = False,
    force_series: bool = False,
    limit_bytes: int | None = None,
    with_notes: bool = False,
    progress: Progress = default_progress,
) -> Incident:
    """Write a report: what grew between the snapshots, and what the process was.

    Parameters
    ----------
    snapshots : Snapshots
        From `heapscope.snapshots`; one at least.
    path : str or path-like
        ``.html`` for one page, ``.md`` for a ticket with PNG charts beside it, ``.json`` for
        programs, ``.pdf`` for paper.  Missing folders are made.
    patterns : sequence of str
        The watched classes; by default the report chooses them by what it found.
    top : int
        Rows of the histogram diff and of the largest classes.
    force : bool
        Whether files that exist are overwritten.
    show_secrets : bool
        Whether environment and system properties are shown as they are.
    force_series, limit_bytes, with_notes
        As `heapscope.reporter.incident.build_incident` has them.
    progress : Progress
        Told how far reading the last dump is.

    Returns
    -------
    Incident
        What the report shows; `output_paths` names the files.

    Raises
    ------
    HeapscopeError
        Another ending; no snapshot; the report would overwrite a snapshot.
    OutputExists
        A file is there already, and ``force`` is false.  Nothing is written then.
    OutputFailed
        The system refuses to write.  Nothing half-written is left.
    MissingDependency
        A PDF without WeasyPrint.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise HeapscopeError(
            f"{path}: a report's name ends in .html, .md, .json or .pdf; rename it to choose one"
        )
    check_free(path, force)
    if ending == ".pdf":
        extras.weasyprint()  # before any work is done
    incident = build_incident(
        snapshots,
        patterns=patterns,
        top=top,
        show_secrets=show_secrets,
        force_series=force_series,
        limit_bytes=limit_bytes,
        with_notes=with_notes,
        progress=progress,
    )
    paths = output_paths(incident, path)
    for each in paths:
        check_free(each, force)
    sources = {os.path.realpath(snapshot.path) for snapshot in snapshots}
    if overwritten := [output for output in paths if os.path.realpath(output) in sources]:
        raise HeapscopeError(f"{overwritten[0]}: is one of the snapshots; name another file for the report")
    write_all(report_files(incident, path), force=force)
    return incident


def report_files(incident: Incident, path: Path) -> list[tuple[Path, bytes]]:
    """The files that `write_report` writes, each with its content: pictures first, the report itself last."""
    ending = path.suffix.lower()
    if ending == ".html":
        contents = [render_html(incident).encode()]
    elif ending == ".pdf":
        contents = [render_pdf(render_paper(incident))]
    elif ending == ".json":
        contents = [render_json(incident).encode()]
    else:
        names, outlook = chart_names(incident, path.stem), "".join(outlook_name(incident, path.stem))
        contents = [*_png_charts(incident), render_markdown(incident, names, outlook).encode()]
    return list(zip(output_paths(incident, path), contents, strict=True))


def output_paths(incident: Incident, path: str | os.PathLike[str]) -> list[Path]:
    """Files that `write_report` makes for a path: pictures first, the report itself last."""
    path = Path(path)
    if path.suffix.lower() != ".md":
        return [path]
    names = list(chart_names(incident, path.stem).values())
    return [path.with_name(name) for name in (*names, *outlook_name(incident, path.stem))] + [path]


def chart_names(incident: Incident, stem: str) -> dict[str, str]:
    """Class name of each watched class with a chart -> file name of its picture.

    ``report-FileSystem-Cache-Key.png``: the simple name, and a number where that is taken.
    """
    names: dict[str, str] = {}
    for watched in charted(incident):
        simple = watched.class_name.rsplit(".", 1)[-1]
        slug = re.sub(r"[^A-Za-z0-9]+", "-", simple).strip("-")[:60] or "class"
        name, number = f"{stem}-{slug}.png", 1
        while name.lower() in {taken.lower() for taken in names.values()}:
            number += 1
            name = f"{stem}-{slug}-{number}.png"
        names[watched.class_name] = name
    return names


def outlook_name(incident: Incident, stem: str) -> list[str]:
    """File name of the picture of the outlook; none where it cannot be drawn."""
    has_one = incident.outlook is not None and bool(incident.outlook.hours)
    return [f"{stem}-outlook.png"] if has_one else []


def charted(incident: Incident) -> tuple[WatchedClass, ...]:
    """The watched classes that have something to draw, each once, as many as a reader looks at."""
    if len(incident.snapshots) == 1:
        return ()
    present = {one.class_name: one for one in incident.watched_classes if one.trend != "absent"}
    return tuple(present.values())[:MAX_SUBJECTS]


def _render_markdown(
    incident: Incident, names: Mapping[str, str], outlook: str, rows: int, characters: int
) -> str:
    template = environment().get_template("report.md.j2")
    text = template.render(
        incident=incident,
        span=span(incident),
        charts=[(watched, quote(names[watched.class_name])) for watched in charted(incident)],
        outlook_picture=quote(outlook),
        **_outlook_words(incident),
        row_limit=rows,
        code=lambda value: markdown_code(shorten(value, characters)),
        text=lambda value: markdown_text(shorten(value, 10 * characters)),
    )
    return f"{text}\n"


def _sparklines(incident: Incident) -> Callable[[WatchedClass], Markup]:
    """What draws the course of a class in a row of a table."""
    if len(incident.snapshots) == 1:
        return lambda _: Markup("")
    from heapscope.reporter.charts import plots  # matplotlib takes half a second to import

    when = plots.timeline(incident.snapshots)
    return lambda one: Markup(
        sparkline(one.instance_counts, colour="var(--count)", positions=when.positions, partial=when.partial)
    )


def _finding_charts(incident: Incident) -> list[Markup]:
    """The large chart of each finding; empty where its counts are not known."""
    if len(incident.snapshots) == 1 or not incident.diagnosis.findings:
        return [Markup("")] * len(incident.diagnosis.findings)
    from heapscope.reporter.charts import plots

    when = plots.timeline(incident.snapshots)
    return [
        Markup(plots.finding_chart(finding, when, f"finding{number}"))
        for number, finding in enumerate(incident.diagnosis.findings, 1)
    ]


def _change_cells(one: ClassChange, incident: Incident) -> list[object]:
    """A row of the table of changes for the page's script: a figure, or a figure with its text."""

    def size(value: int) -> list[object]:
        return [value, format_bytes(value)]

    cells: list[object] = [one.class_name, one.instance_count_before, one.instance_count_after]
    cells.append([one.instance_count_delta, format_count(one.instance_count_delta, signed=True)])
    cells += [size(one.shallow_bytes_before), size(one.shallow_bytes_after)]
    cells.append([one.shallow_bytes_delta, format_bytes(one.shallow_bytes_delta, signed=True)])
    if incident.outlook is not None and incident.outlook.can_tell:
        cells.append(_GROWS.get(one.verdict, "no"))
    return cells


def _size_cells(one: ClassSize) -> list[object]:
    return [one.class_name, one.instance_count, [one.shallow_bytes, format_bytes(one.shallow_bytes)]]


def _outlook_words(incident: Incident) -> dict[str, object]:
    """What templates say of the outlook."""
    if incident.outlook is None:
        return {"outlook_sentence": "", "forecast_sentence": None}
    last = incident.snapshots[-1].captured_at
    return {
        "outlook_sentence": outlook_sentence(incident.outlook),
        "forecast_sentence": lambda one: forecast_sentence(one, last),
    }


def _outlook_chart(incident: Incident) -> Markup:
    """How the heap grows and when it is full; empty where that cannot be drawn."""
    outlook = incident.outlook
    if outlook is None or not outlook.hours:
        return Markup("")
    from heapscope.reporter.charts import outlook as chart
    from heapscope.reporter.charts.plots import figure_svg

    since = incident.snapshots[0].captured_at
    figure = chart.outlook_figure(outlook, since)
    return Markup(figure_svg(figure, "outlook", chart.outlook_sentence(outlook, since)))


def _png_charts(incident: Incident) -> list[bytes]:
    from heapscope.reporter.charts import outlook, plots

    when = plots.timeline(incident.snapshots)
    pictures = [plots.growth_picture(watched, when) for watched in charted(incident)]
    if incident.outlook is not None and incident.outlook.hours:
        pictures.append(outlook.outlook_picture(incident.outlook, incident.snapshots[0].captured_at))
    return pictures


def style_sheet() -> str:
    """The style sheet of the page, which the explorer shares."""
    return environment().get_template("report.css").render()


def span(incident: Incident) -> str:
    """``4 snapshots from 2026-11-23 09:32:35 UTC, over 20 s``."""
    first, last = incident.snapshots[0].captured_at, incident.snapshots[-1].captured_at
    text = f"{plural(len(incident.snapshots), 'snapshot')} from {format_time(first)}"
    seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    return f"{text}, over {format_duration(seconds)}" if seconds else text


@cache
def environment() -> jinja2.Environment:
    """Jinja with the filters that the templates of reports use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("heapscope.reporter"),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        breakable=breakable,
        coded=coded,
        dated=dated,
        group=describe_group,
        holder_picture=lambda finding: Markup(holder_picture(finding)),
        sureness=SURENESS.__getitem__,
        bytes=format_bytes,
        change_rate=format_rate,
        capitalize_first=lambda text: text[:1].upper() + text[1:],
        change_bytes=lambda value: format_bytes(value, signed=True),
        count=format_count,
        change_count=lambda value: format_count(value, signed=True),
        clock=format_time,
        grows=lambda verdict: _GROWS.get(verdict, "no"),
        plural=plural,
        trend=_TRENDS.__getitem__,
        words=words,
    )
    return environment
