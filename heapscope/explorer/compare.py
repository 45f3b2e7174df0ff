"""Several dumps side by side: what grew over all of them, path by path and class by class."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from heapscope.analysis.growth.growth import Growth
from heapscope.analysis.verdicts import STEADY
from heapscope.explorer.session import OpenedDump
from heapscope.explorer.site import Problem, Site, Wait, Ways, number_of, one_of, path_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from heapscope.analysis.snapshots import Snapshots

_ROWS = 50


def compare(site: Site, request: Request) -> Response:
    """What grew, what fell, between two dumps and over all."""
    if len(site.session.dumps) < 2:
        raise Problem("one dump is open; heapscope explore DUMP DUMP ... compares several", 200)
    if not site.session.is_counted:
        raise Wait(dump=next(dump for dump in site.session.dumps if dump.snapshot is None))
    counted = [dump for dump in site.session.dumps if dump.snapshot is not None]
    if len(counted) < 2:
        raise Problem("fewer than two of the dumps could be read", 400)
    series, _ = site.session.snapshots().of_one_process()
    # Paths are followed over the dumps of one process; classes are compared between any two.
    by = one_of(request, "by", ("path", "class") if len(series) > 1 else ("class",))
    before = _chosen(site, request, "before", counted[0])
    after = _chosen(site, request, "after", counted[-1])
    parts = _between(site, request, before, after) if by == "class" else _growth(site, series, after)
    paths = [path_of(each) for each in ([before, after] if by == "class" else counted)]
    return site.page(
        request,
        "compare.html.j2",
        "Compare",
        None,
        by=by,
        has_series=len(series) > 1,
        counted=counted,
        before=before,
        after=after,
        link=lambda **change: site.url(
            "/compare", **{"by": by, "before": before.name, "after": after.name, **change}
        ),
        ways=Ways(
            f"heapscope diff {shlex.join(paths)}"
            if by == "class"
            else f"heapscope growth {shlex.join(paths)} --by path",
            f"import heapscope\n\nsnapshots = heapscope.snapshots({paths!r})\n"
            + ("snapshots.diff_table(0, 1)" if by == "class" else "snapshots.growth('path')")
            + ".to_frame()",
        ),
        **parts,
    )


def _chosen(site: Site, request: Request, name: str, default: OpenedDump) -> OpenedDump:
    text = request.query_params.get(name, "")
    found = site.session.dump(text) if text else default
    if found is None or found.snapshot is None:
        raise Problem(f"{name}={text!r}: no such dump is open", 400)
    return found


def _growth(site: Site, series: Snapshots, of: OpenedDump) -> dict[str, Any]:
    found: Growth = site.computed(
        ("growth", *(each.name for each in series)),
        "what grew, path by path",
        lambda: series.growth("path", progress=of.progress),
    )
    keys = [key for key in found.keys if key.verdict != STEADY]
    rows = [
        {
            "steps": key.name.split(" -> "),
            "verdict": key.verdict.value,
            "counts": key.instance_counts,
            "sizes": key.retained_bytes or key.shallow_bytes,
            "is_growing": key.may_grow or key.is_larger,
        }
        for key in keys[:_ROWS]
    ]
    return {"rows": rows, "total": len(keys), "first": 0, "compared": [each.name for each in series]}


def _between(site: Site, request: Request, before: OpenedDump, after: OpenedDump) -> dict[str, Any]:
    series = site.session.snapshots()
    places = [
        next(place for place, each in enumerate(series) if each is side.snapshot) for side in (before, after)
    ]
    table = series.diff_table(*places)
    first = number_of(request, "from")
    rows = [
        {**row, "link": site.class_url(row["class_name"], after)}
        for row in table.take(list(range(len(table)))[first : first + _ROWS]).rows()
    ]
    return {"rows": rows, "total": len(table), "first": first}
