"""The made-up ticket, read as MIT's format says."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from heapscope.demo.ticket import REALM, USER, credential_cache

NOW = 1_764_000_000


@dataclass
class Reader:
    """A credential cache, read from its beginning."""

    data: bytes
    at: int = 0

    def numbers(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> bytes:
        (size,) = self.numbers(">I")
        self.at += size
        return self.data[self.at - size : self.at]

    def principal(self) -> list[str]:
        _, count = self.numbers(">II")
        return [self.text().decode() for _ in range(count + 1)]


def test_the_cache_is_version_4_with_a_ticket_for_its_realm() -> None:
    cache = Reader(credential_cache(NOW))
    version, header_bytes = cache.numbers(">HH")
    assert version == 0x0504
    cache.at += header_bytes
    assert cache.principal() == [REALM, USER]  # the default
    assert cache.principal() == [REALM, USER]  # the client of the ticket
    assert cache.principal() == [REALM, "krbtgt", REALM]
    (kind,) = cache.numbers(">H")
    assert (kind, cache.text()) == (18, bytes(32))  # AES-256
    signed_in, starts, ends, renewable = cache.numbers(">IIII")
    assert signed_in == starts < NOW < ends < renewable
    cache.numbers(">BIII")
    ticket = cache.text()
    assert ticket[0] == 0x61  # APPLICATION 1, RFC 4120
    assert REALM.encode() in ticket
    assert cache.text() == b""
    assert cache.at == len(cache.data)
