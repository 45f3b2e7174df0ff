"""Who may ask the server: this user on this machine, or who has the token; and never another site's page.

- On loopback the kernel says whose connection it is (`owner_of`): the user's own need no token.
  Where that cannot be told, and on any other address, a token is needed: in the address once, then in a
  cookie.
- The ``Host`` header has to be one that the server goes by: a page of another site that points its name
  at 127.0.0.1 (DNS rebinding) is refused.
- Nothing changes by GET. What changes something has to come from a page of the server itself
  (``Sec-Fetch-Site``, ``Origin``).
- A strict policy (CSP) lets a page load from the server alone, and no other site frame or read it.

Sources: W3C Fetch Metadata Request Headers; Content Security Policy Level 3.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from heapscope.explorer.socket_owner import owner_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "heapscope-token"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
_SAFE = ("GET", "HEAD")


class Gate:
    """The ASGI application in front of the pages.

    Parameters
    ----------
    app : ASGI application
    token : str
    host_names : sequence of str
        Names that the ``Host`` header may have, without port; ``"*"``: any, then the token protects.
    needs_token : bool
        Whether even the user's own connections need it.
    frame_ancestors : str
        Who may show the pages in a frame, as CSP has it.
    base : str
        What a proxy puts before every address, and takes away again before it asks here.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        host_names: Sequence[str],
        *,
        needs_token: bool = False,
        frame_ancestors: str = "'none'",
        base: str = "",
    ) -> None:
        self._app = app
        self._base = base.rstrip("/")
        self._token = token
        self._host_names = frozenset(host_names)
        self._needs_token = needs_token
        self._headers = [
            (b"content-security-policy", _POLICY.format(ancestors=frame_ancestors).encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        self._may_be_framed = frame_ancestors != "'none'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await self._say(send, 403, refusal)
            return
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)).get("token")
        is_known = self._is_token(_cookie(headers)) or (
            not self._needs_token and _is_own_connection(scope.get("client"), scope.get("server"))
        )
        if given is not None and self._is_token(given) and scope["method"] in _SAFE:
            await self._take_token(scope, send)
            return
        if not is_known:
            await self._say(
                send,
                403,
                "heapscope: this address needs the token that 'heapscope explore' printed; open the address "
                "that it printed, with ?token=... at its end.",
            )
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [
                    (key, self._below_proxy(value, scope) if key == b"location" else value)
                    for key, value in message.get("headers", [])
                ]
                message = {**message, "headers": [*given, *self._headers]}
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> str:
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if "*" not in self._host_names and name not in self._host_names:
            return "heapscope: the server does not go by that name; use the address that it printed."
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] not in _SAFE:
            origin = headers.get("origin")
            is_own = site == "same-origin" or (
                site == "none" and (origin is None or urlsplit(origin).netloc == host)
            )
            if not is_own or (origin is not None and urlsplit(origin).netloc != host):
                return "heapscope: only a page of this server may change something."
        elif site in ("cross-site", "same-site"):
            # A link may be followed; nothing may be read or loaded from another site's page.
            is_link = headers.get("sec-fetch-mode") == "navigate" and (
                headers.get("sec-fetch-dest") == "document" or self._may_be_framed
            )
            if not is_link:
                return "heapscope: pages of other sites may not use this server."
        return ""

    def _is_token(self, given: str) -> bool:
        return bool(given) and hmac.compare_digest(given.encode(), self._token.encode())

    async def _take_token(self, scope: Scope, send: Send) -> None:
        """Keep the token in a cookie, and out of the address bar and of what is copied from it."""
        left = [
            (key, value)
            for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            if key != "token"
        ]
        # As the client wrote it, and never '//host', which would lead elsewhere.
        path = "/" + scope.get("raw_path", b"/").decode("ascii", "replace").partition("?")[0].lstrip("/")
        root = scope.get("root_path", "")
        same_site = "None; Secure" if self._may_be_framed and scope.get("scheme") == "https" else "Lax"
        # Behind a proxy other people's pages may be of the same host: they do not get the cookie.
        cookie = f"{COOKIE}={self._token}; Path={self._base or '/'}; HttpOnly; SameSite={same_site}"
        where = f"{root}{self._base}{path}" + (f"?{urlencode(left)}" if left else "")
        headers = [
            (b"location", self._below_proxy(where.encode("ascii", "replace"), scope)),
            (b"set-cookie", cookie.encode("ascii")),
            (b"cache-control", b"no-store"),
            *self._headers,
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _below_proxy(self, location: bytes, scope: Scope) -> bytes:
        """Where to go, as seen from the page that was asked for, behind a proxy.

        jupyter-server-proxy 4.6 puts its own path before each location that begins with ``/``.
        """
        base = self._base.encode("ascii", "replace")
        if not base or not location.startswith(base + b"/"):
            return location
        raw = scope.get("raw_path", b"/").partition(b"?")[0].removeprefix(base)
        up = b"../" * (raw.count(b"/") - 1) or b"./"
        return up + location[len(base) :].lstrip(b"/")

    async def _say(self, send: Send, status: int, text: str) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": f"{text}\n".encode()})


def _cookie(headers: dict[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _is_own_connection(client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> bool:
    """Whether the other end of a loopback connection belongs to this user, or to root."""
    if client is None or server is None or not ip_address(client[0]).is_loopback:
        return False
    owner = owner_of(client[0], client[1], server[0], server[1] or 0)
    return owner is not None and owner in (os.geteuid(), 0)
