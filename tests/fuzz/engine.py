"""Changes to bytes, as files get them from dying disks and from strangers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_INTERESTING = [
    b"\0", b"\1", b"\2", b"\4", b"\x0b", b"\x0c", b"\x1c", b"\x20", b"\x21", b"\x22", b"\x23", b"\x2c",
    b"\x7f",
    b"\x80", b"\xc3", b"\xfe", b"\xff", b"\0\0", b"\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0",
    b"\xff\xff\xff\xff", b"\0\0\0\1", b"\0\1\0\0", b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7,
    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"../", b"\x1b[2J", b"=1+1", b"<b>", b"\r\n", b'"', b"-1", b"1e999",
]  # fmt: skip


def mutate(data: bytes, others: Sequence[bytes], noise: random.Random) -> bytes:
    """The data with one to five changes."""
    raw = bytearray(data)
    for _ in range(noise.choice([1, 1, 1, 2, 3, 5])):
        at = noise.randrange(len(raw) + 1)
        kind = noise.randrange(9)
        if kind == 0 and raw:
            raw[min(at, len(raw) - 1)] ^= 1 << noise.randrange(8)
        elif kind <= 3:
            piece = noise.choice(_INTERESTING)
            raw[at : at + len(piece)] = piece
        elif kind == 4:
            raw[at:at] = noise.choice(_INTERESTING)
        elif kind == 5:
            del raw[at : at + noise.choice([1, 2, 4, 8, 9, noise.randrange(1, 400)])]
        elif kind == 6:
            raw[at : at + noise.choice([1, 8, 100])] = bytes([noise.choice([0, 0xFF])]) * noise.choice(
                [1, 8, 100]
            )
        elif kind == 7 and raw:
            begin = noise.randrange(len(raw))
            raw[at:at] = raw[begin : begin + noise.choice([1, 9, 40, 300])]
        elif kind == 8:
            other = noise.choice(others)
            begin = noise.randrange(len(other) + 1)
            raw[at : at + noise.randrange(64)] = other[begin : begin + noise.randrange(200)]
    if noise.randrange(8) == 0:
        del raw[noise.randrange(len(raw) + 1) :]
    return bytes(raw)


def inputs(seeds: Sequence[bytes], seed: int) -> Callable[[], bytes]:
    """A source of inputs: the seeds themselves first, then changes to them; the same for the same seed."""
    noise = random.Random(seed)
    first = iter(seeds)

    def draw() -> bytes:
        for data in first:
            return data
        return mutate(noise.choice(seeds), seeds, noise)

    return draw
