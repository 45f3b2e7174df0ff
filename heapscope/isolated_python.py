"""Python processes of our own that load nothing from the current directory.

``python -m`` puts the current directory in front of ``sys.path``, and so does an empty entry of
``PYTHONPATH``: root who stands in ``/tmp`` would run a stranger's ``array.py``.  ``-I`` keeps both out.  So
this very package is loaded by its path, whatever other version is installed; the folder it lies in comes
last, for an installation that only ``PYTHONPATH`` or ``--user`` makes known.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_RUN_MODULE = """
import importlib.util, runpy, sys
package, module = sys.argv[1:3]
del sys.argv[1:3]
spec = importlib.util.spec_from_file_location(
    "heapscope", package + "/__init__.py", submodule_search_locations=[package]
)
sys.modules["heapscope"] = importlib.util.module_from_spec(spec)
sys.path.append(package.rpartition("/")[0])
spec.loader.exec_module(sys.modules["heapscope"])
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def isolated_python(module: str, *words: str) -> list[str]:
    """The command that runs a module as ``python -m`` does, whatever the current directory holds.

    Parameters
    ----------
    module : str
        ``heapscope.collector.watchdog``, say.
    *words : str
        Its arguments.
    """
    return [sys.executable, "-I", "-c", _RUN_MODULE, str(_PACKAGE), module, *words]
