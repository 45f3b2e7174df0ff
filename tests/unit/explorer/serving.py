"""A server of the explorer within the test's own process, and what one reads of its pages."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from heapscope.explorer.server import Server
from heapscope.explorer.session import READY, Session

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "sample_dumps"


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]
    address: str


def _plain(body: bytes) -> str:
    """A page; names without the places where they may break."""
    return body.decode().replace("<wbr>", "")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Client:
    """Asks a server; waits where it is told to, by what the page says and not by a clock."""

    def __init__(self, server: Server) -> None:
        self.base = f"http://127.0.0.1:{server.port}"
        self.server = server

    def ask(
        self,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        method: str | None = None,
        follow: bool = True,
    ) -> Answer:
        """One request, as it is."""
        body = None if data is None else urlencode(data).encode()
        request = urllib.request.Request(f"{self.base}{path}", body, headers or {}, method=method)
        opener = urllib.request.build_opener(*(() if follow else (_NoRedirect,)))
        try:
            with opener.open(request, timeout=120) as answer:
                return Answer(
                    answer.status, _plain(answer.read()), dict(answer.headers.items()), answer.geturl()
                )
        except urllib.error.HTTPError as error:
            return Answer(error.code, _plain(error.read()), dict(error.headers.items()), path)

    def page(self, path: str) -> Answer:
        """A page once it is computed."""
        while True:
            answer = self.ask(path)
            if 'class="working"' not in answer.text:
                return answer


@contextmanager
def serving(
    paths: list[Path], *, show_secrets: bool = False, index_dir: Path | None = None
) -> Iterator[Client]:
    """A server of some dumps, all ready."""
    session = Session(paths, {"index_dir": index_dir}, show_secrets=show_secrets)
    server = Server(session)
    stop = server.start()
    client = Client(server)
    try:
        for dump in list(session.dumps):
            client.page(f"/dominators?dump={dump.name}")
            assert dump.state == READY, dump.error
        yield client
    finally:
        stop()
        session.close()


class Links(HTMLParser):
    """Where a page leads: ``href`` of links, and what scripts fetch into it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.resources: list[str] = []
        self.scripts = 0
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.found.append(values["href"] or "")
        if values.get("hx-get"):
            self.found.append(values["hx-get"] or "")
        if tag in ("script", "img", "iframe", "object", "embed") or (tag == "link" and "href" in values):
            self.resources.append(values.get("src") or values.get("href") or "inline")
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
