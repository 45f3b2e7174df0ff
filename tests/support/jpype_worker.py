"""A worker that connects to HDFS through JPype as libhdfs does; `tests.support.hadoop` runs it.

With ``--buffer=BYTES`` it also reads, after every tenth connect, into a buffer that it gives up at once.
Answers ``done N`` with the connections held, or ``OutOfMemoryError N`` when the heap takes no more.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "sample_dumps"))

import make_samples


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--buffer", type=int, default=0)
    size = parser.parse_known_args()[0].buffer  # the role flags are for whoever looks at the process
    connect = make_samples.embed()
    jpype = importlib.import_module("jpype")
    buffer = jpype.JArray(jpype.JByte)
    held = 0
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = "done"
        try:
            while held < int(line):
                held = connect()
                if size and held % 10 == 0:
                    buffer(size)
        except jpype.JClass("java.lang.OutOfMemoryError"):
            outcome = "OutOfMemoryError"
        print(outcome, held, flush=True)


if __name__ == "__main__":
    main()
