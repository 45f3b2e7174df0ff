"""``heap.explore()``: the pages of an open heap, served by the process that opened it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

from markupsafe import escape

from heapscope import extras
from heapscope.explorer.server import Server
from heapscope.explorer.session import Session
from heapscope.heap.heap import Heap

# The page of a local notebook may show ours in a frame; through a proxy both are of one origin.
_ANCESTORS = "'self' http://localhost:* http://127.0.0.1:*"


class Exploration:
    """Pages that are being served.

    Attributes
    ----------
    address : str
        What a browser opens; without host where a notebook's proxy serves it.
    height : int
        Of the frame in a notebook, in pixels.
    """

    def __init__(self, address: str, height: int, stop: Callable[[], None]) -> None:
        self.address = address
        self.height = height
        self._stop = stop

    def stop(self) -> None:
        """Serve no longer; the heap stays open."""
        self._stop()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.address)}" width="100%" height="{self.height}" '
            'style="border: 1px solid #8888; border-radius: 6px" title="heapscope"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<pages of a heap at {self.address}>"


def explore(heap: Heap, *, height: int) -> Exploration:
    """See `Heap.explore`.

    Raises
    ------
    MissingDependency
    """
    extras.need_web_server()
    prefix = _proxy_prefix()
    # Notes are kept where the heap's index is.
    session = Session([], {"index_dir": heap.index_dir}, heaps=[heap])
    server = Server(session, base=prefix, frame_ancestors=_ANCESTORS)
    stop = server.start()
    path = f"/?token={server.token}"
    address = f"{server.base}{path}" if prefix else server.address
    return Exploration(address, height, stop)


def _proxy_prefix() -> str:
    """The path under which a notebook's proxy serves a port, with ``{port}``; empty without a proxy.

    A hub sets ``JUPYTERHUB_SERVICE_PREFIX``; on this machine the browser reaches the port itself.
    """
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    if not hub or find_spec("jupyter_server_proxy") is None:
        return ""
    return f"{hub.rstrip('/')}/proxy/{{port}}"
