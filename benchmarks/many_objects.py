"""A dump of billions of objects, as a stream of a few megabytes: does the histogram count it right?

::

    python -m benchmarks.many_objects --objects 2300000000

writes a zstd file of empty ``byte[]`` (14 bytes each, so 32 GB when inflated; one frame, again and again),
counts it with ``heapscope histogram``, compares, and removes it.  Above 4,294,967,294 objects it also looks
whether ``heapscope dominators`` refuses the dump before it begins.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zstandard

from heapscope.parser.segments import MAX_OBJECTS
from heapscope.parser.writer import HprofWriter

_OF_FRAME = 1 << 22


def _frame(objects: int) -> bytes:
    """A heap segment of empty byte arrays."""
    # At the same addresses again and again, which a histogram does not mind; multiples of 8.
    first, second = (
        b"\x23" + at.to_bytes(4, "big") + bytes(4) + bytes(4) + b"\x08" for at in (0x1008, 0x1010)
    )
    body = (first + second) * (objects // 2) + first * (objects % 2)
    return b"\x1c" + bytes(4) + len(body).to_bytes(4, "big") + body


def write(path: Path, objects: int) -> None:
    """Write a dump of so many objects."""
    head = io.BytesIO()
    HprofWriter(head, identifier_bytes=4)
    packer = zstandard.ZstdCompressor(level=3)
    whole, rest = divmod(objects, _OF_FRAME)
    many = packer.compress(_frame(_OF_FRAME))
    with path.open("wb") as file:
        file.write(packer.compress(head.getvalue()))
        for _ in range(whole):
            file.write(many)
        if rest:
            file.write(packer.compress(_frame(rest)))
        file.write(packer.compress(b"\x2c" + bytes(8)))


def main() -> int:
    """Write, count and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=2_300_000_000)
    objects = parser.parse_args().objects
    command = [sys.executable, "-m", "heapscope"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.hprof.zst"
        write(path, objects)
        print(f"{objects:,} objects in {path.stat().st_size:,} bytes")
        began = time.monotonic()
        answer = subprocess.run([*command, "histogram", path, "--json"], capture_output=True, check=True)
        row = next(row for row in json.loads(answer.stdout)["rows"] if row["class_name"] == "byte[]")
        is_right = row["instance_count"] == objects and row["shallow_bytes"] == 16 * objects
        print(f"histogram: {row}, {time.monotonic() - began:.1f} s, {'right' if is_right else 'WRONG'}")
        if objects > MAX_OBJECTS:
            refused = subprocess.run(
                [*command, "dominators", path, "--no-index"], capture_output=True, text=True, check=False
            )
            print(f"dominators: exit {refused.returncode}, {refused.stderr.strip()}")
            is_right = is_right and refused.returncode == 3
    return 0 if is_right else 1


if __name__ == "__main__":
    raise SystemExit(main())
