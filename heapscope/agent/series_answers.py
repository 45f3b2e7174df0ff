"""Answers about snapshots in time: what there is, leaks, grows and changed, and whether it is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heapscope.agent.answer import Answer, Question
from heapscope.agent.findings import SURENESS, finding_facts, next_questions
from heapscope.agent.suspect_facts import suspect_facts
from heapscope.agent.workspace import Workspace
from heapscope.analysis.diagnosis import diagnose as find_diagnosis
from heapscope.analysis.growth.axis import has_file_times
from heapscope.analysis.growth.growth import Growth, KeyGrowth
from heapscope.analysis.growth.snapshot import DUMP, Snapshot
from heapscope.analysis.growth.statistics import Rate
from heapscope.analysis.growth.time_source import UNDATED
from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.verdicts import GROWS, TOO_FEW, UNDECIDED
from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.heap.graph.class_patterns import matching_classes, without_plus
from heapscope.progress import Progress
from heapscope.reporter.diagnosis import few
from heapscope.reporter.forecast import forecast_line
from heapscope.reporter.growth_notes import note_text
from heapscope.reporter.text import plural
from heapscope.table import Table
from heapscope.units import format_bytes, format_count, format_time, parse_bytes

if TYPE_CHECKING:
    from heapscope.analysis.growth.grouping import By
    from heapscope.analysis.leaks.findings import Diagnosis


def open_snapshots(
    work: Workspace, progress: Progress, snapshots: Sequence[str] = (), offset: int = 0
) -> Answer:
    """What may be read: snapshots in order of time, which process each is of, logs."""
    logs = work.scope.logs()
    try:
        series = work.processes(snapshots, progress)
    except HeapscopeError:
        if not logs or snapshots:
            raise
        return Answer(
            f"no heap dump; {plural(len(logs), 'log')}",
            data={"logs": logs},
            next=[Question("explain_log", {"logs": logs[:3]}, "what they tell of memory")],
        )
    rows = [_snapshot_facts(work, each, number) for number, one in enumerate(series, 1) for each in one]
    count = sum(len(one) for one in series)
    broken = [work.name(each) for one in series for each in one if not each.is_whole]
    ends = [f"{plural(count, 'snapshot')} of {plural(len(series), 'process', 'processes')}"]
    if logs:
        ends.append(plural(len(logs), "log"))
    return Answer(
        "; ".join(ends),
        data={"snapshots": rows[offset:], "logs": logs[:20]},
        rows="snapshots",
        offset=offset,
        total=len(rows),
        next=[Question("diagnose", {}, "what leaks in each process, why, and what to do")],
        notes=[
            *([f"only a part could be read of {', '.join(broken[:5])}"] if broken else []),
            *([] if snapshots else work.unread_notes()),
        ],
    )


def _snapshot_facts(work: Workspace, snapshot: Snapshot, process: int) -> dict[str, Any]:
    is_dated = snapshot.captured_at_source not in UNDATED
    facts: dict[str, Any] = {
        "snapshot": work.name(snapshot),
        "kind": snapshot.kind,
        "process": process,
        "captured_at": format_time(snapshot.captured_at) if is_dated else "not known",
        "object_count": snapshot.object_count,
        "shallow_bytes": snapshot.shallow_bytes,
        "file_bytes": snapshot.path.stat().st_size,
    }
    if snapshot.coverage is not None:
        facts["read_in_part"] = snapshot.coverage.summary
    return facts


def diagnose(work: Workspace, progress: Progress, snapshots: Sequence[str] = ()) -> Answer:
    """What leaks in each process."""
    series = work.processes(snapshots, progress)
    # One process after the other, the one with most snapshots first: the answer may have to be cut.
    series.sort(key=lambda one: -len(one))
    found = [(one, find_diagnosis(one, force_series=True, progress=progress)) for one in series]
    leaks = [(one, diagnosis, each) for one, diagnosis in found for each in diagnosis.findings]
    of_many = len(found) > 1
    rows = []
    for number, (one, diagnosis) in enumerate(found, 1):
        head = {"process": number, "snapshots": [work.name(each) for each in one][:12]} if of_many else {}
        for each in diagnosis.findings:
            rows.append({**head, **finding_facts(each, work.disclosure)})
        if not diagnosis.findings:
            rows.append({**head, **_no_finding(work, diagnosis)})
    dump = _dump_name(work, *leaks[0][:2]) if leaks else ""
    questions = next_questions(leaks[0][2], dump) if leaks else _without_finding(work, found)
    if leaks:
        first = leaks[0][2]
        owners = (first.owner, *first.other_holders)
        more = f"; and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        says = f"leak found: {work.disclosure.sentence(first.title, owners)}{more}"
        sureness = SURENESS[first.confidence]
        if first.per_hour is None and len(leaks[0][0]) > 1:
            sureness += "; times of the snapshots are not known, so there is no rate per hour"
    else:
        undecided = any(diagnosis.status == UNDECIDED for _, diagnosis in found)
        says = (
            "no known leak found; whether something else grows, three snapshots or more of one process will "
            "tell"
            if undecided
            else _nothing_said(found)
        )
        sureness = (
            "undecided: too few snapshots to see growth"
            if undecided
            else "of these snapshots; a leak slower than their scatter is not seen in them"
        )
    runs_out = [
        forecast_line(each, one[-1].captured_at) for one, diagnosis in found for each in diagnosis.forecasts
    ]
    data: dict[str, Any] = {"findings" if leaks else "processes": rows}
    if runs_out:
        data["memory_runs_out"] = runs_out[:4]
    return Answer(
        says,
        sureness,
        data,
        rows=next(iter(data)),
        next=questions,
        notes=[*_series_notes(found), *([] if snapshots else work.unread_notes())],
    )


def _nothing_said(found: Sequence[tuple[Snapshots, Diagnosis]]) -> str:
    """That nothing was found; and that the heap grows all the same, where it does."""
    wholes = [one.growth.whole.shallow for _, one in found if one.growth is not None]
    growing = next((each.values for each in wholes if each.verdict == GROWS), None)
    if growing is None:
        return "no leak found: nothing grows beyond chance, and no known leak fits"
    ends = f"{format_bytes(growing[0])} -> {format_bytes(growing[-1])}"
    return (
        "no leak found: no known leak fits, and no field of the program takes the growth; the heap grows all "
        f"the same, {ends}: garbage, the JDK's own, or what waits for its finalizer"
    )


def _no_finding(work: Workspace, diagnosis: Diagnosis) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "status": str(diagnosis.status),
        "object_counts": list(diagnosis.object_counts[-8:]),
        "shallow_bytes": list(diagnosis.shallow_bytes[-8:]),
    }
    if diagnosis.steady:
        facts["fits_a_known_leak_but_does_not_grow"] = [
            {"title": work.disclosure.sentence(title), "counts": list(counts[-8:])}
            for title, counts in diagnosis.steady[:4]
        ]
    if diagnosis.owners:
        facts["holds_most_now"] = [suspect_facts(each, work.disclosure) for each in diagnosis.owners]
    return facts


def _without_finding(work: Workspace, found: Sequence[tuple[Snapshots, Diagnosis]]) -> list[Question]:
    series, diagnosis = found[0]
    dump = _dump_name(work, series, diagnosis)
    questions = []
    if dump:
        questions.append(Question("suspects", {"snapshot": dump}, "what retains most, and in which field"))
    if len(series) > 1:
        questions.append(Question("growth", {}, "what rose, with how sure that is"))
    if dump:
        questions.append(Question("threads", {"snapshot": dump}, "what threads hold, and what they do"))
    return questions


def _dump_name(work: Workspace, series: Snapshots, diagnosis: Diagnosis) -> str:
    if not diagnosis.is_dump:
        return ""
    dumps = [each for each in series if each.kind == DUMP]
    return work.name(next((each for each in dumps if each.name == diagnosis.source), dumps[-1]))


def _series_notes(found: Sequence[tuple[Snapshots, Diagnosis]]) -> list[str]:
    notes = [note_text(note) for _, one in found if one.growth is not None for note in one.growth.notes]
    return list(dict.fromkeys(notes))


def growth(
    work: Workspace,
    progress: Progress,
    snapshots: Sequence[str] = (),
    by: By = "class",
    pattern: str = "",
    retained: bool = False,
    limit: str = "",
    offset: int = 0,
) -> Answer:
    """What grows over the snapshots of one process."""
    try:
        limit_bytes = parse_bytes(limit) if limit else None
    except ValueError as error:
        raise HeapscopeError(f"limit: {error}") from None
    series, left_out = work.series(snapshots, progress).of_one_process(progress, least=2)
    grown = series.growth(by, retained=retained, limit_bytes=limit_bytes, progress=progress)
    keys = list(grown.keys)
    if pattern:
        names = set(matching_classes(pattern, [key.name for key in keys], {}, subclasses=False))
        keys = [key for key in keys if key.name in names]
    else:
        keys = [key for key in keys if key.may_grow or key.is_larger]
    rows = [_growth_facts(work, key, grown) for key in keys[offset:]]
    whole = grown.whole.shallow
    ends = f"{format_bytes(whole.values[0])} -> {format_bytes(whole.values[-1])}"
    may = work.disclosure
    top = next((key for key in keys if key.is_growing), None)
    verdict = "was seen twice only" if whole.verdict == TOO_FEW else str(whole.verdict)
    says = f"the whole heap {verdict} ({ends}); {plural(len(grown.growing), by)} grow"
    says += f", the fastest {may.name(top.name)}" if top is not None and by != "path" else ""
    questions = [Question("diagnose", {}, "what leaks, who owns it, and what to do")]
    if top is not None and by == "class" and series[-1].kind == DUMP:
        questions.insert(
            0,
            Question(
                "paths",
                {"snapshot": work.name(series[-1]), "subject": top.name, "subclasses": False},
                "what holds its instances",
            ),
        )
    data: dict[str, Any] = {
        "snapshots": [work.name(each) for each in grown.snapshots][:12],
        "growing": rows,
        "memory_runs_out": [forecast_line(each, series[-1].captured_at) for each in grown.forecasts[:3]],
    }
    return Answer(
        says,
        f"{len(grown.snapshots)} snapshots; by chance at most {grown.expected_by_chance:.1f} would seem "
        "to grow; four snapshots or more make a verdict",
        data,
        rows="growing",
        offset=offset,
        total=len(keys),
        next=questions,
        # Of which process they are is said with its host, which is nobody's business here.
        notes=[*([left_out.partition("; these")[0]] if left_out else []), *map(note_text, grown.notes)],
    )


def _growth_facts(work: Workspace, key: KeyGrowth, grown: Growth) -> dict[str, Any]:
    name = work.disclosure.loader(key.name) if grown.by == "loader" else work.disclosure.steps(key.name)
    size = key.retained or key.shallow
    use_hours = grown.axis.hours is not None and not has_file_times(grown.snapshots)
    facts = {
        "name": name,
        "verdict": str(key.verdict),
        "confidence": round(key.confidence, 3),
        "instance_counts": few(key.instance_counts),
        "retained_bytes" if key.retained is not None else "shallow_bytes": few(size.values),
    }
    of = "per_hour" if use_hours else "per_snapshot"
    for what, trend in (("instances", key.instances), ("bytes", size)):
        rate: Rate | None = trend.per_hour if use_hours else trend.per_snapshot
        if rate is not None and rate.value:
            low_high = [] if rate.low is None or rate.high is None else [_short(rate.low), _short(rate.high)]
            facts[f"{what}_{of}"] = [_short(rate.value), *low_high]
    return facts


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def histogram(
    work: Workspace,
    progress: Progress,
    snapshot: str = "",
    before: str = "",
    pattern: str = "",
    retained: bool = False,
    sort: str = "bytes",
    offset: int = 0,
) -> Answer:
    """Classes of one snapshot; or, with ``before``, what changed between two."""
    if before:
        return _diff(work, progress, snapshot, before, pattern, sort, offset)
    if retained:
        with work.heap(snapshot, progress) as heap:
            table, of = heap.retained_histogram(), work.scope.name_of(heap.path)
            superclasses = heap.superclasses
        column = "instance_count" if sort == "instances" else "retained_bytes"
    else:
        one = work.series([snapshot] if snapshot else (), progress)[-1]
        table, of, superclasses = one.histogram, work.name(one), one.superclasses
        column = "instance_count" if sort == "instances" else "shallow_bytes"
    table = _picked(table, pattern, superclasses).sorted_by(column)
    count, total = sum(table.column("instance_count")), sum(table.column("shallow_bytes"))
    return Answer(
        f"{plural(len(table), 'class', 'classes')} in {of}, {plural(count, 'instance')}, "
        f"{format_bytes(total)} shallow",
        data={"classes": [_row(work, row) for row in list(table.rows())[offset:]]},
        rows="classes",
        offset=offset,
        total=len(table),
        next=[
            Question("suspects", {"snapshot": of}, "what retains most, and in which field"),
            Question("growth", {}, "whether it grows"),
        ],
    )


def _diff(
    work: Workspace, progress: Progress, snapshot: str, before: str, pattern: str, sort: str, offset: int
) -> Answer:
    first = work.series([before], progress)[0]
    last = work.series([snapshot] if snapshot else (), progress)[-1]
    if first.path == last.path:
        raise HeapscopeError(f"{before!r} is both: name another snapshot")
    found = Snapshots([first, last])
    is_reversed = found[0].path != first.path
    table = found.diff_table(-1, 0) if is_reversed else found.diff_table(0, -1)
    table = _picked(table, pattern, {**first.superclasses, **last.superclasses})
    table = table.sorted_by("instance_count_delta" if sort == "instances" else "shallow_bytes_delta")
    objects = last.object_count - first.object_count
    size = last.shallow_bytes - first.shallow_bytes
    return Answer(
        f"{work.name(first)} -> {work.name(last)}: {format_count(objects, signed=True)} objects, "
        f"{format_bytes(size, signed=True)}; {plural(len(table), 'class', 'classes')} changed",
        "two snapshots show a difference; whether it goes on growing more of them tell",
        {"classes": [_row(work, row) for row in list(table.rows())[offset:]]},
        rows="classes",
        offset=offset,
        total=len(table),
        next=[Question("growth", {}, "whether it goes on, over all snapshots")],
        notes=["the second of the two is the older one"] if is_reversed else [],
    )


def _picked(table: Table, pattern: str, superclasses: dict[str, str]) -> Table:
    """The rows of classes that a pattern names; with ``+`` at its end subclasses too."""
    if not pattern:
        return table
    names = table.column("class_name")
    wanted, subclasses = without_plus(pattern, False)
    found = set(matching_classes(wanted, names, superclasses, subclasses=subclasses))
    if not found:
        raise ObjectNotFound(pattern, "the class histogram", names)
    return table.take([place for place, name in enumerate(names) if name in found])


def _row(work: Workspace, row: dict[str, Any]) -> dict[str, Any]:
    return {"class": work.disclosure.name(row.pop("class_name")), **row}


def check(
    work: Workspace,
    progress: Progress,
    snapshots: Sequence[str] = (),
    after: Sequence[str] = (),
    limits: Sequence[str] = (),
    no_growth: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Answer:
    """Whether a cure worked, or guards hold."""
    if not (after or limits or no_growth):
        raise HeapscopeError("nothing to check: give 'after', 'limits' or 'no_growth'")
    if after and not snapshots:
        raise HeapscopeError("'after' needs 'snapshots': those of before the cure, by name or folder")
    before = work.series(snapshots, progress)
    may = work.disclosure
    says: list[str] = []
    data: dict[str, Any] = {}
    questions: list[Question] = []
    if after:
        proof = before.prove(work.series(after, progress), classes, progress=progress)
        says.append(f"{proof.verdict}: {may.sentence(proof.reason)}")
        data["verdict"] = str(proof.verdict)
        data["classes"] = [
            {
                "class": may.name(each.name),
                "outcome": str(each.outcome),
                "before": few(each.first.instance_counts) if each.first else [],
                "after": few(each.second.instance_counts) if each.second else [],
                "as_before_it_would_add": round(each.expected, 1),
            }
            for each in proof.decisive
        ]
        if not proof.is_fixed:
            questions.append(Question("growth", {"snapshots": list(after)}, "what still grows"))
    if limits or no_growth:
        checks = before.check(limits, no_growth=no_growth, partial=True, progress=progress)
        failed = len(checks.failed)
        says.append(
            f"{failed} of {plural(len(checks), 'guard')} do not hold" if failed else "all guards hold"
        )
        data["guards"] = [
            {
                "guard": each.name,
                "outcome": each.outcome,
                "figures": may.sentence(each.message),
                "hint": each.hint,
            }
            for each in checks.results
        ]
        if failed:
            questions.append(Question("diagnose", {}, "what leaks, and why"))
    return Answer(
        "; ".join(says),
        "a cure is proved only by snapshots in which the same work was done" if after else "",
        data,
        rows="classes" if after else "guards",
        next=questions,
    )
