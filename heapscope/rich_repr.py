"""The one door upwards: a notebook asks an answer how it looks, and the answer asks the reporter.

What analysis returns is shown as HTML in Jupyter, VS Code and their kin through ``_repr_html_``, a method of
the object itself; how it looks is the reporter's business (`heapscope.reporter.notebook.cards`).
"""

from __future__ import annotations


class RichRepr:
    """Base of what a notebook shows as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """HTML for notebooks; None where ``repr`` must do."""
        from heapscope.reporter.notebook.cards import html_of

        return html_of(self)
