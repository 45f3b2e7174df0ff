"""Who holds the other end of a connection, by both ways in which the kernel tells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from heapscope.explorer import socket_owner

Ask = Callable[[str, int, str, int], int | None]
WAYS: dict[str, Ask] = {
    "sock_diag": socket_owner._ask_kernel,
    "/proc/net/tcp": socket_owner._look_up,
}


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> socket.socket:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        return socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip(f"no {request.param} here")


@pytest.fixture(params=WAYS)
def ask(request: pytest.FixtureRequest) -> Ask:
    return WAYS[request.param]


def test_an_open_connection_is_of_who_opened_it(server: socket.socket, ask: Ask) -> None:
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        where = (*client.getsockname()[:2], *server.getsockname()[:2])
        assert ask(*where) == os.geteuid()
        assert socket_owner.owner_of(*where) == os.geteuid()


def test_a_connection_that_its_user_closed_is_nobodys(server: socket.socket, ask: Ask) -> None:
    """The kernel then says user 0, whoever it was: who asks and closes at once would be taken for root."""
    with server:
        client = socket.create_connection(server.getsockname()[:2])
        where = (*client.getsockname()[:2], *server.getsockname()[:2])
        accepted, _ = server.accept()
        with accepted:
            client.close()
            assert ask(*where) is None
            assert socket_owner.owner_of(*where) is None


def test_a_connection_to_another_address_is_another_one(ask: Ask) -> None:
    """From one port a user may be connected to the same port of another address, where somebody listens."""
    with (
        socket.create_server(("127.0.0.2", 0)) as other,
        socket.create_connection(other.getsockname()) as client,
    ):
        host, port = client.getsockname()
        assert ask(host, port, *other.getsockname()) == os.geteuid()
        assert socket_owner.owner_of(host, port, "127.0.0.1", other.getsockname()[1]) is None


def test_a_socket_that_listens_is_no_connection(server: socket.socket) -> None:
    with server:
        host, port = server.getsockname()[:2]
        assert socket_owner.owner_of(host, port, host, 1) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_told_apart(server: socket.socket, ask: Ask) -> None:
    with server:
        host, port = server.getsockname()[:2]
        code = (
            "import encodings.idna, os, socket, sys; os.setgid(65534); os.setuid(65534); "
            f"c = socket.create_connection(({host!r}, {port})); "
            "print(c.getsockname()[1], flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            number = int(other.stdout.readline())
            assert ask(host, number, host, port) == 65534
            other.communicate("")
