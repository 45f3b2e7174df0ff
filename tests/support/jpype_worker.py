"""A worker that connects to HDFS through JPype as libhdfs does; `tests.support.hadoop` runs it.

Answers ``done N`` with the connections held, or ``OutOfMemoryError N`` when the heap takes no more.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "sample_dumps"))

import make_samples


def main() -> None:
    """The program."""
    connect = make_samples.embed()
    jpype = importlib.import_module("jpype")
    held = 0
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = "done"
        try:
            while held < int(line):
                held = connect()
        except jpype.JClass("java.lang.OutOfMemoryError"):
            outcome = "OutOfMemoryError"
        print(outcome, held, flush=True)


if __name__ == "__main__":
    main()
