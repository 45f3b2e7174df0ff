"""The dominator tree as a profile that flame graph viewers open: folded stacks, speedscope, pprof.

Formats: Brendan Gregg's folded stacks (``a;b;c 42``; two numbers, before and after, where two heaps are
compared, as his ``difffolded.pl`` writes them); speedscope's file format
(https://www.speedscope.app/file-format-schema.json); pprof's ``profile.proto``
(https://github.com/google/pprof/blob/main/proto/profile.proto), gzipped.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Literal

Profile = Literal["folded", "speedscope", "pprof"]
Weights = Mapping[tuple[str, ...], int]
ENDINGS: dict[str, str] = {"folded": ".folded", "speedscope": ".speedscope.json", "pprof": ".pb.gz"}
_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write_profile(to: Profile, name: str, after: Weights, before: Weights | None = None) -> bytes:
    """The bytes of a profile.

    Parameters
    ----------
    to : str
    name : str
        Of the heap.
    after : mapping
        Bytes that each path of classes retains itself.
    before : mapping, optional
        The same of an earlier heap; the profile then shows the difference.
    """
    if to == "folded":
        return _folded(after, before)
    if to == "speedscope":
        return _speedscope(name, after, before)
    difference = after if before is None else _difference(after, before)
    return _pprof(difference)


def _difference(after: Weights, before: Weights) -> dict[tuple[str, ...], int]:
    paths = [*after, *(path for path in before if path not in after)]
    found = {path: after.get(path, 0) - before.get(path, 0) for path in paths}
    return {path: change for path, change in found.items() if change}


def _folded(after: Weights, before: Weights | None) -> bytes:
    lines = []
    for path in sorted({*after, *(before or {})}):
        # A semicolon separates frames, and a blank the number.
        frames = ";".join(frame.replace(";", ":").replace("\n", " ") for frame in path)
        numbers = "" if before is None else f"{before.get(path, 0)} "
        lines.append(f"{frames} {numbers}{after.get(path, 0)}\n")
    return "".join(lines).encode("utf-8", "backslashreplace")


def _speedscope(name: str, after: Weights, before: Weights | None) -> bytes:
    frames: dict[str, int] = {}

    def profile(title: str, weights: Weights) -> dict[str, object]:
        samples = [[frames.setdefault(each, len(frames)) for each in path] for path in weights]
        sizes = list(weights.values())
        return {
            "type": "sampled", "name": title, "unit": "bytes", "startValue": 0, "endValue": sum(sizes),
            "samples": samples, "weights": sizes,
        }  # fmt: skip

    if before is None:
        profiles = [profile(f"{name}: retained bytes", after)]
    else:
        change = _difference(after, before)
        # speedscope has no weights below 0: what grew and what shrank are two profiles.
        grown = {path: size for path, size in change.items() if size > 0}
        shrunk = {path: -size for path, size in change.items() if size < 0}
        profiles = [profile(f"{name}: grown by", grown), profile(f"{name}: shrunk by", shrunk)]
    document = {
        "$schema": _SCHEMA,
        "exporter": "heapscope",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": profiles,
    }
    return (json.dumps(document) + "\n").encode("ascii")


# --- pprof: protocol buffers by hand, which need seven kinds of field ---


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _pprof(weights: Weights) -> bytes:
    texts: dict[str, int] = {"": 0}

    def text(value: str) -> int:
        return texts.setdefault(value, len(texts))

    kind = _number(1, text("retained")) + _number(2, text("bytes"))
    pieces = [_bytes(1, kind)]  # sample_type
    locations: dict[str, int] = {}
    for path, size in weights.items():
        ids = [locations.setdefault(frame, len(locations) + 1) for frame in path]
        leaf_first = b"".join(map(_varint, reversed(ids)))
        pieces.append(_bytes(2, _bytes(1, leaf_first) + _bytes(2, _varint(size))))  # sample
    for frame, number in locations.items():
        pieces.append(_bytes(4, _number(1, number) + _bytes(4, _number(1, number))))  # location, its line
        pieces.append(_bytes(5, _number(1, number) + _number(2, text(frame))))  # function
    pieces.append(_bytes(11, kind) + _number(12, 1))  # period_type, period
    table = b"".join(_bytes(6, each.encode("utf-8", "backslashreplace")) for each in texts)
    # The same bytes for the same heap: without the time of writing.
    return gzip.compress(b"".join(pieces) + table, mtime=0)
