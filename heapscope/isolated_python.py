"""Python processes of our own that load nothing from the current directory.

``python -m`` puts the current directory in front of ``sys.path``, and so does an empty entry of ``PYTHONPATH``:
root who stands in ``/tmp`` would run a stranger's ``array.py``.  ``-I`` keeps both out.  The folder that this
package was imported from comes last, for an installation that only ``PYTHONPATH`` or ``--user`` makes known.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGES = str(Path(__file__).resolve().parents[1])
_RUN_MODULE = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def isolated_python(module: str, *words: str) -> list[str]:
    """The command that runs a module as ``python -m`` does, whatever the current directory holds.

    Parameters
    ----------
    module : str
        ``heapscope.collector.watchdog``, say.
    *words : str
        Its arguments.
    """
    return [sys.executable, "-I", "-c", _RUN_MODULE, _PACKAGES, module, *words]
