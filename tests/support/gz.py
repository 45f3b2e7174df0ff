"""Gzip files as people and as the JDK make them."""

from __future__ import annotations

import gzip
import io
import struct
import zlib


def plain_gzip(data: bytes) -> bytes:
    """One member, without a time: the same bytes each run."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        file.write(data)
    return out.getvalue()


def jdk_gzip(data: bytes, block_bytes: int) -> bytes:
    """As ``GC.heap_dump -gz`` writes: independent members of ``block_bytes`` inflated bytes each.

    The first member's comment is ``HPROF BLOCKSIZE=<n>``; the last member may be shorter
    (HotSpot, ``services/heapDumperCompression.cpp``).
    """
    blocks = [data[at : at + block_bytes] for at in range(0, len(data), block_bytes)] or [b""]
    comments = [f"HPROF BLOCKSIZE={block_bytes}".encode(), *[b""] * (len(blocks) - 1)]
    return b"".join(gzip_member(block, comment) for block, comment in zip(blocks, comments, strict=True))


def gzip_member(data: bytes, comment: bytes = b"") -> bytes:
    """One member with an optional comment in its header (RFC 1952)."""
    flags = 0x10 if comment else 0
    head = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, flags, 0, 0, 255)
    compressor = zlib.compressobj(level=1, wbits=-15)
    body = compressor.compress(data) + compressor.flush()
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return head + (comment + b"\0" if comment else b"") + body + tail
