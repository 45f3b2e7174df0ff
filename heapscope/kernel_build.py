"""Compile kernels ahead of need, as a program.

``python -m heapscope.kernel_build`` compiles all of them into the user's cache folder; with ``--shared`` into
a folder of the installation, for containers and machines where users cannot keep a cache.  ``--for PID`` is
how `heapscope.machine_code` asks for help: what is missing, while that process lives.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from heapscope.machine_code import all_kernels, shared_folder, usual_kernels

_log = logging.getLogger("heapscope")


def main(arguments: Sequence[str]) -> None:
    """Compile what the arguments say."""
    if arguments[:1] == ["--for"]:
        parent = int(arguments[1])
        for each in usual_kernels():
            if os.getppid() != parent:
                break
            each.keep()
        return
    if arguments not in ([], ["--shared"]):
        _log.error("usage: python -m heapscope.kernel_build [--shared]")
        return
    folder = shared_folder() if arguments else None
    try:
        for each in all_kernels():
            each.keep(folder)
    except OSError as error:
        _log.error("machine code cannot be kept: %s", error)


if __name__ == "__main__":
    main(sys.argv[1:])
