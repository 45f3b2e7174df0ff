"""Who may ask: this user, or who has the token; by the server's own name; no page of another site."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapscope.errors import HeapscopeError
from heapscope.explorer import security
from heapscope.explorer.server import Server
from heapscope.explorer.session import Session
from tests.unit.explorer.serving import SAMPLES, Client, serving


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving([SAMPLES / "healthy-1.hprof.gz"], index_dir=tmp_path_factory.mktemp("index")) as found:
        yield found


def test_the_user_of_this_machine_needs_no_token(client: Client) -> None:
    assert client.ask("/").status == 200


def test_another_user_needs_the_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "owner_of", lambda *_: os.geteuid() + 1)
    refused = client.ask("/")
    assert (refused.status, "token" in refused.text) == (403, True)
    assert client.ask("/?token=wrong").status == 403
    taken = client.ask(f"/classes?q=x&token={client.server.token}", follow=False)
    assert (taken.status, taken.headers["location"]) == (303, "/classes?q=x")
    cookie = taken.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert client.ask("/", headers={"Cookie": cookie.partition(";")[0]}).status == 200
    assert client.ask("/", headers={"Cookie": "heapscope-token=wrong"}).status == 403


def test_who_cannot_be_told_needs_the_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "owner_of", lambda *_: None)
    assert client.ask("/").status == 403


def test_the_token_never_leads_elsewhere(client: Client) -> None:
    taken = client.ask(f"//evil.example/x?token={client.server.token}", follow=False)
    assert (taken.status, taken.headers["location"]) == (303, "/evil.example/x")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]"])
def test_another_name_is_refused(client: Client, host: str) -> None:
    assert client.ask("/", headers={"Host": host}).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200),
    ],
)
def test_pages_of_other_sites_may_link_and_no_more(
    client: Client, headers: dict[str, str], status: int
) -> None:
    assert client.ask("/classes", headers=headers).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "none", "Origin": "null"}, 403),
    ],
)
def test_only_its_own_pages_change_something(client: Client, headers: dict[str, str], status: int) -> None:
    data = {"page": "/", "text": "a note"}
    assert client.ask("/notes", headers=headers, data=data).status == status
    assert "a note" not in client.page("/notes").text


def test_nothing_changes_by_get(client: Client) -> None:
    for path in ("/jobs/1/stop", "/notes/0/remove"):
        assert client.ask(path).status == 405


def test_policy_and_other_headers(client: Client) -> None:
    for path in ("/", "/nope", "/static/explorer.js"):
        headers = client.ask(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_files_of_the_server_cannot_be_left(client: Client) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert client.ask(path).status == 404


def test_another_address_always_needs_the_token(tmp_path: Path) -> None:
    session = Session([SAMPLES / "healthy-1.hprof.gz"], {"index_dir": tmp_path})
    server = Server(session, "0.0.0.0")
    stop = server.start()
    try:
        client = Client(server)
        assert client.ask("/").status == 403
        assert client.ask("/", headers={"Cookie": f"{security.COOKIE}={server.token}"}).status == 200
    finally:
        stop()


def test_behind_a_proxy_the_token_is_needed_and_stays_below_its_path(tmp_path: Path) -> None:
    # Any name will do there, so a page of another site could make its own name mean this address.
    session = Session([SAMPLES / "healthy-1.hprof.gz"], {"index_dir": tmp_path})
    server = Server(session, base="/user/me/proxy/{port}")
    stop = server.start()
    try:
        client = Client(server)
        assert client.ask("/", headers={"Host": "evil.example"}).status == 403
        given = client.ask(f"/classes?token={server.token}&q=x", follow=False)
        # A proxy may put its path before a location that begins with "/": ours is seen from the page.
        assert given.headers["location"] == "./classes?q=x"
        cookie = {"Cookie": given.headers["set-cookie"].partition(";")[0]}
        while not session.is_counted:
            client.ask("/classes", headers=cookie)
        assert client.ask("/go?q=0x12", headers=cookie, follow=False).headers["location"] == "./objects/0x12"
        deep = client.ask(f"/classes/a.B?token={server.token}", follow=False)
        assert deep.headers["location"] == "../classes/a.B"
        assert f"Path=/user/me/proxy/{server.port};" in given.headers["set-cookie"]
    finally:
        stop()


def test_a_port_that_is_taken_is_said(client: Client) -> None:
    with pytest.raises(HeapscopeError, match=r"cannot serve on .* port \d+: Address already in use"):
        Server(Session([]), port=client.server.port)
