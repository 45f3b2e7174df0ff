"""Tells systemd how a service is: ``sd_notify(3)``, without its library."""

from __future__ import annotations

import math
import os
import socket
from contextlib import suppress


def heartbeat_seconds() -> float:
    """How often `notify` should say ``WATCHDOG=1``: twice in the time that ``WatchdogSec=`` allows.

    Infinite where no service manager waits for it (``sd_watchdog_enabled(3)``).
    """
    allowed, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not allowed.isdecimal() or int(allowed) == 0 or pid not in (None, str(os.getpid())):
        return math.inf
    return int(allowed) / 2e6


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` to whoever started us with ``NOTIFY_SOCKET``; else do nothing.

    A service manager that does not listen harms nothing.

    Parameters
    ----------
    state : str
        Lines of ``NAME=VALUE``.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        out.connect("\0" + path[1:] if path[0] == "@" else path)
        out.send(state.encode())
