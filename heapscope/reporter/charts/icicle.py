"""The paths from the GC roots to what leaks, as a picture: an icicle of steps, without scripts.

From top to bottom: the GC roots, then each step ``Class.field`` on the way, then what is held.  A step is
as wide as the share of what is held that way; what two ways hold is drawn below both.
Colours are the page's own variables, so that the picture follows light and dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from heapscope.reporter.diagnosis import FindingSection, HolderNode
from heapscope.units import format_bytes, format_count

WIDTH = 520
ROW = 30
_LINE = 17
_GAP = 2
# Of the system fonts at 12.5 px: wide enough for the widest of them.
_CHARACTER = 7.2
_MARGIN = 9
_LEAST = 3.0  # a narrower step cannot be seen


@dataclass(frozen=True, slots=True)
class Box:
    """A step where it is drawn; ``kind`` is "root", "step" or "member"."""

    x: float
    row: int
    width: float
    kind: str
    label: str
    member_count: int
    retained_bytes: int = 0


def boxes(nodes: Sequence[HolderNode], target: str) -> list[Box]:
    """Where each step lies: below the step before, next to its siblings."""
    found = [Box(0.0, 0, float(WIDTH), "root", "GC roots", 0)]  # two ways to one object count twice: no sum
    found += _below(nodes, 0.0, float(WIDTH), 1, target)
    return found


def _below(nodes: Sequence[HolderNode], x: float, width: float, row: int, target: str) -> Iterator[Box]:
    whole = sum(node.member_count for node in nodes) or 1
    for node in nodes:
        own = width * node.member_count / whole
        if own < _LEAST:
            continue
        yield Box(x, row, own, "step", node.label, node.member_count, node.retained_bytes)
        if node.children:
            yield from _below(node.children, x, own, row + 1, target)
        else:
            yield Box(x, row + 1, own, "member", target, node.member_count, node.retained_bytes)
        x += own


def holder_picture(finding: FindingSection) -> str:
    """SVG element of the paths that hold what leaks; empty where none is known."""
    if not finding.holders:
        return ""
    drawn = boxes(finding.holders, finding.target)
    height = max(box.row * ROW + _height(box) for box in drawn)
    label = escape(f"What holds them, from the GC roots down: {'; '.join(finding.held_by)}")
    parts = [f'<svg class="icicle" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">']
    parts += [_box(box) for box in drawn]
    return "\n".join([*parts, "</svg>"])


def _height(box: Box) -> int:
    """What is held has a second line, for its size."""
    return ROW + _LINE if box.kind == "member" and box.retained_bytes else ROW


def _box(box: Box) -> str:
    count = f"{format_count(box.member_count)} x " if box.kind != "root" else ""
    size = format_bytes(box.retained_bytes) if box.retained_bytes else ""
    title = escape(f"{count}{box.label}{size and f', {size}'}")
    x, y = box.x + _GAP / 2, box.row * ROW + _GAP / 2
    width = max(box.width - _GAP, 1.0)
    room = int((width - 2 * _MARGIN) / _CHARACTER)
    name = f"{count if box.kind == 'member' else ''}{box.label}"
    shown = _fitting(name, room)
    middle = y + ROW / 2 + 3
    text = ""
    if len(shown) > 2:
        text = f'<text x="{x + _MARGIN:.1f}" y="{middle:.1f}">{escape(shown)}</text>'
    if size and box.kind == "member" and len(size) <= room:
        text += f'<text class="size" x="{x + _MARGIN:.1f}" y="{middle + _LINE:.1f}">{size}</text>'
    elif size and box.kind == "step" and len(name) + len(size) + 2 < room:
        right = f'x="{x + width - _MARGIN:.1f}" y="{middle:.1f}" text-anchor="end"'
        text += f'<text class="size" {right}>{size}</text>'
    return (
        f'<g class="{box.kind}"><title>{title}</title>'
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_height(box) - _GAP}" rx="3"/>{text}</g>'
    )


def _fitting(text: str, room: int) -> str:
    """The text, cut from the left where it is too long: the field's name tells more than the class's."""
    if len(text) <= room:
        return text
    return "…" + text[len(text) - room + 1 :] if room > 1 else ""
