"""Serve the pages of a session until somebody ends it."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address

import uvicorn

from heapscope.errors import HeapscopeError
from heapscope.explorer.app import create_app
from heapscope.explorer.jobs import take_little
from heapscope.explorer.security import Gate
from heapscope.explorer.session import Session

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Server:
    """Pages on an address.

    Parameters
    ----------
    session : Session
    host : str
        An address of this machine; loopback unless others are to look.
    port : int
        0: any that is free.
    base : str
        What a proxy puts before every address; ``{port}`` in it becomes the port.
    frame_ancestors : str
        Who may show the pages in a frame, as CSP has it.

    Attributes
    ----------
    address : str
        What to open in a browser, with a token.

    Raises
    ------
    HeapscopeError
        The port is taken, or the address is not one of this machine.
    """

    def __init__(
        self,
        session: Session,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        base: str = "",
        frame_ancestors: str = "'none'",
    ) -> None:
        self._session = session
        self._socket = _bound(host, port)
        port = self._socket.getsockname()[1]
        base = base.format(port=port)
        is_loopback = _is_loopback(host)
        token = secrets.token_urlsafe(24)
        gate = Gate(
            create_app(session, base),
            token,
            _LOOPBACK if is_loopback and not base else ("*",),
            # Where any name will do, the token alone keeps other sites' pages out.
            needs_token=not is_loopback or bool(base),
            frame_ancestors=frame_ancestors,
            base=base,
        )
        config = uvicorn.Config(
            gate,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        shown = f"[{host}]" if ":" in host else host
        self.port = port
        self.base = base
        self.token = token
        self.address = f"http://{shown}:{port}/?token={token}"

    def run(self) -> None:
        """Serve until Ctrl-C."""
        take_little()
        self._session.start()
        self._server.run(sockets=[self._socket])

    def start(self) -> Callable[[], None]:
        """Serve in a thread; what is returned ends it."""
        self._session.start()
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # not the main thread
        thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="explorer", daemon=True
        )
        thread.start()

        def stop() -> None:
            self._server.should_exit = True
            thread.join(5)

        return stop


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, where), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken(host, port, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(128)  # whoever asks before the server is up waits
    except (OSError, OverflowError) as error:
        bound.close()
        raise _taken(host, port, error) from None
    return bound


def _taken(host: str, port: int, error: Exception) -> HeapscopeError:
    why = getattr(error, "strerror", None) or str(error)
    return HeapscopeError(f"cannot serve on {host} port {port}: {why}; --port 0 takes any free port")
