"""Small lines without axes, for people who see them: the figures stand beside them."""

from __future__ import annotations

from collections.abc import Sequence


def sparkline(
    values: Sequence[float],
    *,
    colour: str,
    positions: Sequence[float] = (),
    size: tuple[int, int] = (96, 22),
    top: float | None = None,
    partial: Sequence[int] = (),
) -> str:
    """An SVG element with a line from 0 up, and a dot where it ends; nothing for fewer than two values.

    Parameters
    ----------
    values : sequence of float
    colour : str
        Of CSS, a variable of the page say.
    positions : sequence of float
        Where the values lie from left to right; by default one as far from the next as another.
    size : (int, int)
        Width and height in pixels.
    top : float, optional
        What the upper edge stands for, where several are compared; by default the largest value.
    partial : sequence of int
        Which values are lower bounds: hollow dots off the line.
    """
    if len(values) < 2:
        return ""
    width, height = size
    top = max(*values, 1) if top is None else max(top, 1)
    where = positions or range(len(values))
    first, span = where[0], (where[-1] - where[0]) or 1
    points = [
        (3 + (at - first) / span * (width - 6), height - 3 - value / top * (height - 6))
        for at, value in zip(where, values, strict=True)
    ]
    whole = [point for place, point in enumerate(points) if place not in partial]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in whole)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="none" style="stroke: {colour}"/>'
        for x, y in (points[place] for place in partial)
    ]
    if whole:
        dots.append(
            f'<circle cx="{whole[-1][0]:.1f}" cy="{whole[-1][1]:.1f}" r="2.2" style="fill: {colour}"/>'
        )
    return (
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-hidden="true"><polyline points="{line}" fill="none" style="stroke: {colour}" '
        'stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"/>'
        f"{''.join(dots)}</svg>"
    )
