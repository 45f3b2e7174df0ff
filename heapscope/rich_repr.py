"""What a notebook shows of an answer: the base of all that has a card, and the renderer that draws it.

What the rooms return is shown as HTML in Jupyter, VS Code and their kin through ``_repr_html_``, a method of
the object itself; how it looks is the reporter's business.  The package hands the reporter's renderer down
(`heapscope.__init__`), so that this module imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable

Renderer = Callable[[object], str | None]
_renderer: Renderer | None = None


def set_renderer(renderer: Renderer) -> None:
    """Draw every `RichRepr` with this function from now on."""
    global _renderer
    _renderer = renderer


class RichRepr:
    """Base of what a notebook shows as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """HTML for notebooks; None where ``repr`` must do."""
        return None if _renderer is None else _renderer(self)
