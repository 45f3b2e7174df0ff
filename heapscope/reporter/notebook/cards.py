"""What notebooks show of an answer: a card with totals and the largest of what is in it.

Every card is one element with its own style sheet; colours are the theme's, so that it reads in light and
dark.  A card costs what is known already or is quick to count: nothing here makes an index or follows
references, and nothing is printed object by object.  Text from a dump is hostile, and escaped here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heapscope.errors import HeapscopeError
from heapscope.heap.objects.java_object import JavaObject
from heapscope.parser.tags import BasicType
from heapscope.reporter.memory_text import evidence_sentence, next_step, verdict_title
from heapscope.reporter.notebook import diagnosis as notebook_diagnosis
from heapscope.reporter.notebook import growth as notebook_growth
from heapscope.reporter.notebook.html import (
    bar,
    card,
    escaped,
    figures,
    grid,
    hint,
    lines_list,
    name_cell,
    number_cell,
    sparkline,
    text_cell,
)
from heapscope.reporter.text import plural, shorten
from heapscope.units import format_bytes, format_count, format_duration, format_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.memory.samples import WatchedProcess
    from heapscope.analysis.memory.verdict import MemoryVerdict
    from heapscope.analysis.snapshots import Snapshots
    from heapscope.heap.heap import Heap
    from heapscope.heap.object_set import ObjectSet
    from heapscope.heap.retention.paths import Holder, MergedPaths, Path
    from heapscope.heap.retention.suspects import Suspect, Suspects
    from heapscope.table import Table

ROWS = 8
TABLE_ROWS = 20
_MAX_BRANCHES = 120
_MAX_CELL = 120
_MAX_TEXT = 400


def html_of(thing: object) -> str | None:
    """HTML of what analysis returned; None for what has no card, or none any more (a closed heap).

    Parameters
    ----------
    thing : object
        A `Heap`, `ObjectSet`, `JavaObject`, `Snapshot`, `Snapshots`, `MergedPaths`, `Path`, `Suspects`,
        `Suspect`, `Diagnosis`, `Finding`, `Growth`, `Comparison`, `Proof`, `Checks`, `Table`,
        `WatchedProcess` or `MemoryVerdict`.
    """
    for kind in type(thing).__mro__:
        draw = _CARDS.get(kind.__name__)
        if draw is not None and kind.__module__.startswith("heapscope."):
            try:
                return draw(thing)
            except HeapscopeError:  # a heap that was closed, a file that has gone: `repr` tells what it can
                return None
    return None


# --- heaps and snapshots ---


def _heap(heap: Heap) -> str:
    histogram = heap.histogram()
    layout = heap.layout
    coverage = heap.coverage
    part = "" if coverage is None else f" · {coverage.summary}"
    under = (
        f"heap dump · captured {format_time(heap.captured_at)} · HPROF {heap.format_version}, "
        f"{heap.identifier_bytes}-byte identifiers · sizes {layout.confidence}{part}"
    )
    totals = figures(
        (format_count(heap.object_count), "objects"),
        (format_bytes(heap.shallow_bytes), "shallow size"),
        (format_count(len(heap.classes)), "classes"),
        (format_count(sum(heap.root_counts().values())), "GC root records"),
    )
    body = totals + _classes(histogram, "Largest classes")
    more = hint("heap.suspects()", "heap.objects('a.B')", "heap.class_histogram()", "heap.dominators().top()")
    return card(heap.path.name, under, body + more)


def _classes(histogram: Table, title: str) -> str:
    whole = max(sum(histogram.column("shallow_bytes")), 1)
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(format_count(row["instance_count"])),
            number_cell(format_bytes(row["shallow_bytes"])),
            bar(row["shallow_bytes"] / whole),
        )
        for row in histogram.head(ROWS).rows()
    ]
    rest = len(histogram) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    return grid((title, "instances", "shallow size", "share"), rows, note)


def _snapshot(snapshot: Snapshot) -> str:
    under = f"{snapshot.kind} · captured {format_time(snapshot.captured_at)} ({snapshot.captured_at_source})"
    totals = figures(
        (format_count(snapshot.object_count), "objects"),
        (format_bytes(snapshot.shallow_bytes), "shallow size"),
        (format_count(len(snapshot.histogram)), "classes with instances"),
    )
    return card(snapshot.name, under, totals + _classes(snapshot.histogram, "Largest classes"))


def _snapshots(snapshots: Snapshots) -> str:
    if not len(snapshots):
        return card("No snapshots", "", "")
    first, last = snapshots[0], snapshots[-1]
    seconds = (last.captured_at - first.captured_at).total_seconds()
    under = f"from {format_time(first.captured_at)}" + (
        f", over {format_duration(seconds)}" if seconds > 0 else ""
    )
    rows = []
    shown = _ends(range(len(snapshots)), TABLE_ROWS)
    for place in shown:
        one = snapshots[place]
        before = snapshots[place - 1] if place else None
        change = "" if before is None else format_bytes(one.shallow_bytes - before.shallow_bytes, signed=True)
        rows.append(
            (
                name_cell(one.name),
                text_cell(one.kind if one.coverage is None else f"{one.kind}, partial"),
                text_cell(format_time(one.captured_at)),
                number_cell(format_count(one.object_count)),
                number_cell(format_bytes(one.shallow_bytes)),
                number_cell(change),
            )
        )
    left_out = len(snapshots) - len(rows)
    note = f"{plural(left_out, 'more')} between them".replace("mores", "more") if left_out else ""
    body = grid(("Snapshot", "kind", "captured", "objects", "shallow size", "change"), rows, note)
    if len(snapshots) > 1:
        body = _growth_line(snapshots) + body + _grown(snapshots)
    more = hint("snapshots.trend()", "snapshots.diff()", "snapshots.census()")
    return card(plural(len(snapshots), "snapshot"), under, body + more)


def _growth_line(snapshots: Snapshots) -> str:
    sizes = [snapshot.shallow_bytes for snapshot in snapshots]
    counts = [snapshot.object_count for snapshot in snapshots]
    return figures(
        (format_bytes(sizes[-1] - sizes[0], signed=True), "shallow size", sparkline(sizes)),
        (format_count(counts[-1] - counts[0], signed=True), "objects", sparkline(counts)),
    )


def _grown(snapshots: Snapshots) -> str:
    """The classes that grew most, of those that never fell."""
    growing = [row for row in snapshots.trend_table().rows() if row["is_growing"]]
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(
                f"{format_count(row['instance_count_first'])} → {format_count(row['instance_count_last'])}"
            ),
            number_cell(format_count(row["instance_count_per_snapshot"], signed=True)),
            number_cell(format_bytes(row["shallow_bytes_delta"], signed=True)),
        )
        for row in growing[:5]
    ]
    if not rows:
        return ""
    rest = len(growing) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')} that never fell" if rest > 0 else ""
    return grid(("Grew and never fell", "instances", "per snapshot", "shallow size"), rows, note)


# --- objects ---


def _objects(found: ObjectSet) -> str:
    histogram = found.histogram()
    totals = [
        (format_count(len(found)), "object" if len(found) == 1 else "objects"),
        (format_bytes(found.shallow_bytes), "shallow size"),
    ]
    if () in found._kept:  # asked for before, so it costs nothing
        totals.append((format_bytes(found.retained_bytes()), "retained together"))
    rows = [
        (
            name_cell(row["class_name"]),
            number_cell(format_count(row["instance_count"])),
            number_cell(format_bytes(row["shallow_bytes"])),
            bar(row["instance_count"] / max(len(found), 1)),
        )
        for row in histogram.head(ROWS).rows()
    ]
    rest = len(histogram) - len(rows)
    note = f"and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    body = figures(*totals)
    if rows:
        body += grid(("Class", "instances", "shallow size", "share"), rows, note)
    names = histogram.column("class_name")
    title = names[0] if len(names) == 1 else plural(len(names), "class", "classes")
    more = hint(
        ".retained_bytes()", ".paths_to_gc_roots()", ".to_frame('field.of.field')", ".group_by('field')"
    )
    return card(f"Objects of {title}" if names else "No objects", f"in {found.graph.path.name}", body + more)


def _java_object(one: JavaObject) -> str:
    """An object and its fields; what it retains, which may take long, `JavaObject.describe` tells."""
    represented = one.represented_class
    totals = [(format_bytes(one.shallow_bytes), "shallow size")]
    rows: list[tuple[str, ...]]
    body = ""
    text = one.text()
    if text is not None:
        totals.append((format_count(len(text)), "characters"))
        body = f'<p class="hs-text">{escaped(shorten(text, _MAX_TEXT))}</p>'
    elif one.element_count:
        totals.append((format_count(one.element_count), "elements"))
        numbers = one.elements(ROWS).tolist()
        first = [str(value) for value in numbers] or [
            _referred(one, object_id) for object_id in one.element_ids(ROWS).tolist()
        ]
        rows = [(text_cell(f"[{place}]"), name_cell(value)) for place, value in enumerate(first)]
        rest = one.element_count - len(rows)
        body = grid(("", "element"), rows, f"and {rest:,} more" if rest > 0 else "")
    else:
        found = list(one.field_values().items())
        rows = [
            (
                name_cell(place.name),
                text_cell(place.type.java_name),
                name_cell(_referred(one, int(value)) if place.type == BasicType.OBJECT else str(value)),
            )
            for place, value in found[:TABLE_ROWS]
        ]
        rest = len(found) - len(rows)
        body = (
            grid(("Field", "type", "value"), rows, f"and {rest:,} more" if rest > 0 else "") if rows else ""
        )
    title = one.class_name if represented is None else f"class {represented.name}"
    more = hint(".value()", ".describe()", ".follow('field')")
    return card(title, f"0x{one.object_id:x} in {one.graph.path.name}", figures(*totals) + body + more)


def _referred(one: JavaObject, object_id: int) -> str:
    """What a reference leads to: a text as such, another object by its class."""
    if not object_id:
        return "null"
    row = one.graph.index_of(object_id)
    if row < 0:
        return f"0x{object_id:x}, not in the dump"
    other = JavaObject(one.graph, row)
    text = other.text()
    if text is not None:
        return f'"{shorten(text, _MAX_CELL)}"'
    return f"{other.class_name} 0x{object_id:x}"


# --- who keeps it alive ---


def _merged(paths: MergedPaths) -> str:
    found = plural(paths.member_count, "instance")
    rest = []
    if paths.inner_count:
        rest.append(f"{format_count(paths.inner_count)} x held by other members only")
    rest += [f"{format_count(count)} x {category}" for category, count in paths.lost_counts.items()]
    budget = [_MAX_BRANCHES]
    tree = _branches(paths.holders, paths.target, max(paths.member_count, 1), 0, budget)
    note = "a member that several hold is counted under each" if len(paths.holders) > 1 else ""
    return card(f"What holds {found} of {paths.target}", note, tree + lines_list(rest))


def _branches(
    holders: Sequence[Holder], target: str, whole: int, depth: int, budget: list[int], limit: int = 6
) -> str:
    """Nested lists; a chain without a fork is one item, deep forks are folded."""
    items = []
    shown = list(holders[:limit])
    for holder in shown:
        if budget[0] <= 0:
            break
        budget[0] -= 1
        steps, at = [holder.label], holder
        while len(at.children) == 1 and at.children[0].member_count == at.member_count:
            at = at.children[0]
            steps.append(at.label)
        if not at.children and len(steps) + depth > 1:
            steps.append(target)
        way = ' <span class="hs-arrow">→</span> '.join(f"<code>{escaped(step)}</code>" for step in steps)
        head = f"{bar(holder.member_count / whole, tag='span')} <b>{holder.member_count:,}</b> x {way}"
        below = _branches(at.children, target, whole, depth + 1, budget) if at.children else ""
        if below:
            is_open = " open" if depth < 1 else ""
            head = f"<details{is_open}><summary>{head}</summary>{below}</details>"
        items.append(f"<li>{head}</li>")
    if len(holders) > len(items):
        most = holders[len(items)].member_count
        left = plural(len(holders) - len(items), "more way")
        items.append(f'<li class="hs-muted">{left}, each with {most:,} or fewer</li>')
    return f'<ul class="hs-tree">{"".join(items)}</ul>' if items else ""


def _path(path: Path) -> str:
    kinds = ", ".join(f"{kind} x {count:,}" if count > 1 else kind for kind, count in path.root_kinds.items())
    thread = f" of thread {path.thread_name!r}" if path.thread_name else ""
    rows = []
    held_by = ""
    for step in _ends(path.steps, 2 * TABLE_ROWS):
        rows.append(
            (
                text_cell(held_by),
                name_cell(f"{step.class_name} 0x{step.object_id:x}"),
                number_cell(format_bytes(step.retained_bytes)),
            )
        )
        by = " = ".join(step.references[:3])
        held_by = f".{by}" + ("" if step.strength == "strong" else f" ({step.strength})") if by else ""
    left_out = len(path.steps) - len(rows)
    note = f"{left_out:,} more steps between them" if left_out else ""
    body = grid(("by", "Object", "retained"), rows, note)
    return card(
        f"GC root: {kinds or 'none'}{thread}", f"{path.strength} path of {len(path.steps):,} objects", body
    )


def _suspects(suspects: Suspects) -> str:
    under = (
        f"{format_bytes(suspects.reachable_bytes)} in {format_count(suspects.reachable_count)} objects are "
        f"reachable; a suspect retains {suspects.share:.0%} of that or more"
    )
    if not len(suspects):
        return card("No suspects", under, "")
    body = "".join(_suspect_body(suspect, is_open=not place) for place, suspect in enumerate(suspects))
    return card(plural(len(suspects), "leak suspect"), under, body)


def _suspect(suspect: Suspect) -> str:
    return card("Leak suspect", "", _suspect_body(suspect, is_open=True))


def _suspect_body(suspect: Suspect, *, is_open: bool) -> str:
    from heapscope.heap.retention.suspects import describe

    if suspect.kind == "group":
        what = f"{suspect.instance_count:,} x {suspect.class_name}"
        how = "retained together; no single object retains them"
    else:
        what = f"{suspect.class_name} 0x{suspect.object_ids[0]:x}"
        how = "retained by this one object"
    ordinary = (
        f'<div class="hs-muted">ordinary: {escaped(suspect.ordinary)}</div>' if suspect.ordinary else ""
    )
    if suspect.holders is not None:
        whole = max(suspect.holders.member_count, 1)
        below = _branches(suspect.holders.holders, suspect.holders.target, whole, 0, [_MAX_BRANCHES])
    else:
        below = lines_list(line for line in describe(suspect)[1:] if not line.startswith("ordinary: "))
    return (
        f'<details class="hs-suspect"{" open" if is_open else ""}><summary>'
        f"{bar(suspect.share, tag='span')} <b>{suspect.share:.1%}</b> "
        f"<code>{escaped(what)}</code> <b>{format_bytes(suspect.retained_bytes)}</b> "
        f'<span class="hs-muted">{how}</span></summary>{ordinary}{below}</details>'
    )


# --- memory over time ---


def _watched(process: WatchedProcess) -> str:
    samples = process.samples
    resident = [float(value) for value in samples["rss_bytes"]]
    totals = [(format_bytes(resident[-1]), "resident", sparkline(resident))]
    for column, label in (
        ("heap_rss_bytes", "of it in the Java heap"),
        ("old_after_gc_bytes", "old generation after GC"),
    ):
        values = [float(value) for value in samples[column] if value is not None and value == value]
        if values:
            totals.append((format_bytes(values[-1]), label, sparkline(values)))
    return _verdict_card(process.verdict(), process.name, figures(*totals))


def _verdict(verdict: MemoryVerdict) -> str:
    return _verdict_card(verdict, f"pid {verdict.pid}", "")


def _verdict_card(verdict: MemoryVerdict, name: str, totals: str) -> str:
    size = format_bytes(verdict.growth_bytes, signed=True)
    under = f"resident {size} in {format_duration(verdict.seconds)}, {plural(verdict.sample_count, 'sample')}"
    advice = f"<p>Confidence {escaped(verdict.confidence)}. Next: {escaped(next_step(verdict))}</p>"
    evidence = lines_list(evidence_sentence(each) for each in verdict.evidence)
    return card(f"{name}: {verdict_title(verdict)}", under, totals + evidence + advice)


# --- tables ---


def _table(table: Table) -> str:
    names = table.names
    rows = [tuple(_cell(name, value) for name, value in row.items()) for row in table.head(TABLE_ROWS).rows()]
    rest = len(table) - len(rows)
    note = f"and {plural(rest, 'more row')}; .to_frame() is a DataFrame of all" if rest > 0 else ""
    return card("", "", grid([name.replace("_", " ") for name in names], rows, note))


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return text_cell("yes" if value else "no")
    if name == "object_id" and isinstance(value, int):
        return name_cell(f"0x{value:x}")
    if isinstance(value, (int, float)):
        return number_cell(format_count(value) if value == value else "")
    if isinstance(value, datetime):
        return text_cell(format_time(value))
    if name.endswith("class_name") or name == "name":
        return name_cell(str(value))
    return text_cell(shorten("" if value is None else str(value), _MAX_CELL))


def _ends(things: Sequence[Any], limit: int) -> list[Any]:
    """All of them, or as many from both ends."""
    if len(things) <= limit:
        return list(things)
    return [*things[: limit // 2], *things[-(limit - limit // 2) :]]


_CARDS: Mapping[str, Callable[[Any], str]] = {
    **notebook_diagnosis.CARDS,
    **notebook_growth.CARDS,
    "Heap": _heap,
    "JavaObject": _java_object,
    "MemoryVerdict": _verdict,
    "MergedPaths": _merged,
    "ObjectSet": _objects,
    "Path": _path,
    "Snapshot": _snapshot,
    "Snapshots": _snapshots,
    "Suspect": _suspect,
    "Suspects": _suspects,
    "Table": _table,
    "WatchedProcess": _watched,
}
