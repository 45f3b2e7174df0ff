"""The start page: what the process was, what leaks, what holds the heap, what grew."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.growth.snapshot import facts_of
from heapscope.errors import HeapscopeError
from heapscope.explorer.session import READY, OpenedDump
from heapscope.explorer.site import Site, Ways, path_of, percent
from heapscope.heap.object_set import instances_of
from heapscope.heap.retention.suspects import find_suspects
from heapscope.reporter.diagnosis import SURENESS, describe_diagnosis
from heapscope.reporter.process import describe_process, process_name

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LARGEST_CLASSES = 8


def start(site: Site, request: Request) -> Response:
    """What the dumps are, at once; diagnosis and suspects as they come."""
    dump = site.dump_of(request)
    snapshot = dump.snapshot
    assert snapshot is not None
    histogram = snapshot.histogram
    rows = list(histogram.head(_LARGEST_CLASSES).rows())
    paths = [path_of(each) for each in site.session.dumps]
    return site.page(
        request,
        "start.html.j2",
        dump.name,
        dump,
        snapshot=snapshot,
        rows=rows,
        whole=snapshot.shallow_bytes,
        is_ready=dump.state == READY,
        ways=Ways(
            f"heapscope diagnose {shlex.join(paths)}", f"import heapscope\nheapscope.diagnose({paths!r})"
        ),
    )


def process_part(site: Site, request: Request) -> Response:
    """What the process was."""
    dump = site.ready_dump(request)
    heap, snapshot = dump.heap, dump.snapshot
    assert heap is not None
    assert snapshot is not None

    def compute() -> Any:
        facts = facts_of(heap)
        section = describe_process(facts, dump.name, show_secrets=site.session.show_secrets)
        return process_name(snapshot, facts, show_secrets=site.session.show_secrets), section

    name, section = site.computed(("process", dump.name), "what the process was", compute)
    return site.fragment("process.html.j2", name=name, section=section, dump=dump)


def diagnosis_part(site: Site, request: Request) -> Response:
    """What leaks, by all dumps of the process together."""
    dump = site.ready_dump(request)

    def compute() -> Any:
        series = site.session.snapshots_of(dump)
        found = diagnose(
            series,
            opened=dump.heap if series[-1] is dump.snapshot else None,
            progress=dump.progress,
        )
        return found, describe_diagnosis(found, show_secrets=site.session.show_secrets)

    found, section = site.computed(("diagnosis", dump.name), "the diagnosis", compute)
    # A class of the finding has a page of its own, whose holders and instances are the next clicks.
    links = [
        site.class_url(finding.class_name, dump, subclasses="yes")
        if _has_class(dump, finding.class_name)
        else ""
        for finding in found.findings
    ]
    return site.fragment(
        "diagnosis.html.j2",
        section=section,
        findings=list(zip(section.findings, links, strict=True)),
        sureness=SURENESS,
        dump=dump,
    )


def _has_class(dump: OpenedDump, class_name: str) -> bool:
    try:
        return bool(instances_of(dump.graph, class_name))
    except HeapscopeError:
        return False


def suspects_part(site: Site, request: Request) -> Response:
    """What holds much of the heap."""
    dump = site.ready_dump(request)
    found = site.computed(("suspects", dump.name), "leak suspects", lambda: find_suspects(dump.graph))
    rows = [
        {
            "suspect": each,
            "percent": percent(each.share, 1),
            "link": site.object_url(each.object_ids[0], dump)
            if each.kind == "object" and each.object_ids
            else site.class_url(each.class_name, dump),
        }
        for each in found
    ]
    return site.fragment("suspects.html.j2", rows=rows, found=found, dump=dump)
