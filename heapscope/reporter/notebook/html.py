"""The pieces of cards in notebooks; they escape every text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from heapscope.reporter.charts import sparkline as lines
from heapscope.reporter.markup import breakable
from heapscope.reporter.text import printable


@cache
def _style() -> str:
    text = files("heapscope.reporter").joinpath("templates/notebook.css").read_text("utf-8")
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)


def escaped(text: str) -> str:
    """Text from anywhere, made harmless: escaped, and control characters written out."""
    return escape(printable(text))


def card(title: str, under: str, body: str) -> str:
    """A card.

    Parameters
    ----------
    title, under : str
        Text, and the text of a line below it; empty: none.
    body : str
        HTML.
    """
    head = f'<div class="hs-title">{escaped(title)}</div>\n' if title else ""
    head += f'<div class="hs-under">{escaped(under)}</div>\n' if under else ""
    return f'<div class="hs"><style>{_style()}</style>{head}{body}</div>'


def figures(*pairs: tuple[str, ...]) -> str:
    """Large figures side by side: (figure, what it is), or with a picture as the third."""
    cells = "".join(
        f"<div><b>{escaped(pair[0])}</b> <span>{escaped(pair[1])}</span>{''.join(pair[2:])}</div>\n"
        for pair in pairs
    )
    return f'<div class="hs-figures">{cells}</div>'


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    """A table; a column of figures has its head on the right.

    Parameters
    ----------
    heads : sequence of str
        Texts of the head.
    rows : sequence of sequences of str
        HTML of cells, from `name_cell`, `text_cell`, `number_cell` or `bar`.
    note : str
        A text below the table; empty: none.
    """
    is_figure = [bool(rows) and all('class="n"' in row[place] for row in rows) for place in range(len(heads))]
    head = "".join(
        f"<th{' class=n' if right else ''}>{escaped(text)}</th>"
        for text, right in zip(heads, is_figure, strict=True)
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    below = f'\n<div class="hs-note">{escaped(note)}</div>\n' if note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="hs-wide">{table}</div>{below}'


def name_cell(text: str) -> str:
    """A class name or an address; its lines break between the parts of it."""
    return f'<td class="hs-name"><code>{breakable(printable(text))}</code></td>'


def text_cell(text: str) -> str:
    """Words."""
    return f"<td>{escaped(text)}</td>"


def number_cell(text: str, *below: str) -> str:
    """A figure; ``below`` are texts on lines of their own, its rate say."""
    under = "".join(f'<br><span class="hs-muted">{escaped(line)}</span>' for line in below)
    return f'<td class="n">{escaped(text)}{under}</td>'


def bar(share: float, *, tag: str = "td") -> str:
    """A share as a bar; the figure is its title."""
    share = min(max(share, 0.0), 1.0)
    inner = f'<span class="hs-bar" title="{share:.1%}"><i style="width:{100 * share:.1f}%"></i></span>'
    return f"<td>{inner}</td>" if tag == "td" else inner


def sparkline(values: Sequence[float]) -> str:
    """A small line without axes, from 0 up, for people who see it; figures stand beside it."""
    return lines.sparkline(values, colour="#3b8fc7")


def lines_list(lines: Iterable[str]) -> str:
    """A list of sentences; nothing for none."""
    items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def pairs_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels with their texts; those without one are left out."""
    rows = "".join(f"<dt>{escaped(label)}</dt><dd>{escaped(text)}</dd>" for label, text in pairs if text)
    return f"<dl>{rows}</dl>" if rows else ""


def hint(*calls: str) -> str:
    """What can be asked next."""
    return f'<p class="hs-hint">{" · ".join(f"<code>{escaped(call)}</code>" for call in calls)}</p>'


def ends(things: Sequence[Any], limit: int) -> list[Any]:
    """All of them, or as many from both ends."""
    if len(things) <= limit:
        return list(things)
    return [*things[: limit // 2], *things[-(limit - limit // 2) :]]
