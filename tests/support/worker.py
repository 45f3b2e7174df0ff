"""A worker as the documents have it: embeds a JVM, has libhdfs mapped and ``--job_name`` on its command line.

Run as a program: ``worker.py LIBJVM LIBHDFS [JVM-OPTION...] --job_name=ROLE --task_index=3``; ends with its
standard input.
"""

from __future__ import annotations

import mmap
import sys

from tests.support.embedding import create_jvm


def main() -> None:
    """The program."""
    libjvm, libhdfs, *options = sys.argv[1:]
    with open(libhdfs, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    create_jvm(libjvm, [option for option in options if not option.startswith("--")])
    print("ready", flush=True)
    sys.stdin.read()
    mapped.close()


if __name__ == "__main__":
    main()
