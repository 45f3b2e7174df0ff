"""The base of what can be walked through in the browser: an open heap.

The pages stand above it (`heapscope.explorer`); the package hands them down.
"""

from __future__ import annotations

from typing import Any

from heapscope.handed_down import handed_down


class Explorable:
    """Base of what has pages."""

    __slots__ = ()

    def explore(self, *, height: int = 800) -> Any:
        """Walk through the heap in the browser; in a notebook the pages are shown below the cell.

        Needs starlette and uvicorn, the extra ``explore``.  The pages are served on loopback by this process,
        until it ends or the answer's ``stop()`` is called; through the notebook server's own proxy where
        there is one (jupyter-server-proxy).

        Parameters
        ----------
        height : int
            Of the frame in a notebook, in pixels.

        Returns
        -------
        Exploration
            ``address``, ``stop()``.

        Raises
        ------
        MissingDependency
        """
        return handed_down("explorer").explore(self, height=height)
