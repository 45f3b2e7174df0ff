"""Cards of who keeps objects alive: merged paths, one path, leak suspects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heapscope.heap.retention.suspects import describe_suspect
from heapscope.reporter.notebook.html import (
    bar,
    card,
    ends,
    escaped,
    grid,
    lines_list,
    name_cell,
    number_cell,
    text_cell,
)
from heapscope.reporter.text import plural
from heapscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from heapscope.heap.retention.holders import Holder, MergedPaths
    from heapscope.heap.retention.paths import Path
    from heapscope.heap.retention.suspects import Suspect, Suspects

_MAX_BRANCHES = 120
_PATH_ROWS = 40


def merged_paths_card(paths: MergedPaths) -> str:
    """Who holds the members of a set, as a tree."""
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
        chain = holder.chain()
        steps, at = [step.label for step in chain], chain[-1]
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


def path_card(path: Path) -> str:
    """A path from a GC root to an object."""
    kinds = ", ".join(f"{kind} x {count:,}" if count > 1 else kind for kind, count in path.root_kinds.items())
    thread = f" of thread {path.thread_name!r}" if path.thread_name else ""
    rows = []
    held_by = ""
    for step in ends(path.steps, _PATH_ROWS):
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


def suspects_card(suspects: Suspects) -> str:
    """All leak suspects of a heap."""
    under = (
        f"{format_bytes(suspects.reachable_bytes)} in {format_count(suspects.reachable_count)} objects are "
        f"reachable; a suspect retains {suspects.share:.0%} of that or more"
    )
    if not len(suspects):
        return card("No suspects", under, "")
    body = "".join(_suspect_body(suspect, is_open=not place) for place, suspect in enumerate(suspects))
    return card(plural(len(suspects), "leak suspect"), under, body)


def suspect_card(suspect: Suspect) -> str:
    """One leak suspect."""
    return card("Leak suspect", "", _suspect_body(suspect, is_open=True))


def _suspect_body(suspect: Suspect, *, is_open: bool) -> str:
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
        below = lines_list(
            line for line in describe_suspect(suspect)[1:] if not line.startswith("ordinary: ")
        )
    return (
        f'<details class="hs-suspect"{" open" if is_open else ""}><summary>'
        f"{bar(suspect.share, tag='span')} <b>{suspect.share:.1%}</b> "
        f"<code>{escaped(what)}</code> <b>{format_bytes(suspect.retained_bytes)}</b> "
        f'<span class="hs-muted">{how}</span></summary>{ordinary}{below}</details>'
    )
