"""A made-up Kerberos ticket in an MIT credential cache.

``Krb5LoginModule`` only reads the file; no KDC ever sees the ticket, and its keys are zeros.
https://web.mit.edu/kerberos/krb5-latest/doc/formats/ccache_file_format.html, version 4.
"""

from __future__ import annotations

import struct

REALM = "EXAMPLE.COM"
USER = "trainer"


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)
    return bytes([tag]) + length + content


def _ticket(service: tuple[str, ...]) -> bytes:
    """An RFC 4120 ``Ticket`` in DER; its encrypted part is zeros, nobody will decrypt it."""

    def integer(value: int) -> bytes:
        return _der(0x02, bytes([value]))

    def text(value: str) -> bytes:
        return _der(0x1B, value.encode())

    names = _der(0x30, b"".join(map(text, service)))
    principal = _der(0x30, _der(0xA0, integer(2)) + _der(0xA1, names))
    encrypted = _der(0x30, _der(0xA0, integer(18)) + _der(0xA2, _der(0x04, bytes(64))))
    fields = (integer(5), text(REALM), principal, encrypted)
    return _der(0x61, _der(0x30, b"".join(_der(0xA0 + i, field) for i, field in enumerate(fields))))


def credential_cache(now: int) -> bytes:
    """A credential cache with one ticket-granting ticket, valid at ``now`` (Unix seconds)."""

    def data(content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + content

    def principal(kind: int, *components: str) -> bytes:
        parts = b"".join(data(part.encode()) for part in components)
        return struct.pack(">II", kind, len(components)) + data(REALM.encode()) + parts

    client = principal(1, USER)
    service = ("krbtgt", REALM)
    return b"".join(
        (
            struct.pack(">HHHHii", 0x0504, 12, 1, 8, 0, 0),  # one header field: clock offset 0
            client,  # the default principal
            client,
            principal(2, *service),
            struct.pack(">HI", 18, 32) + bytes(32),  # AES-256 session key of zeros
            struct.pack(">IIII", now - 3600, now - 3600, now + 36_000, now + 7 * 86_400),
            struct.pack(">BIII", 0, 0x50E00000, 0, 0),  # forwardable, proxiable, renewable, initial, preauth
            data(_ticket(service)),
            data(b""),
        )
    )
