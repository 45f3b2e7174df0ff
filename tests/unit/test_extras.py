"""Optional libraries: a missing one is an error that names its pip line."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heapscope import extras
from heapscope.errors import MissingDependency

EXTRAS: list[tuple[str, Callable[[], Any]]] = [
    ("prometheus_client", extras.prometheus_client),
    ("pyarrow", extras.pyarrow),
    ("weasyprint", extras.weasyprint),
    ("IPython", extras.ipython_display),
    ("duckdb", extras.sql_engine),
    ("fsspec", lambda: extras.fsspec("A test")),
    ("distributed", extras.distributed),
    ("scipy", extras.scipy_stats),
    ("starlette", extras.need_web_server),
    ("jpype", lambda: extras.need_jpype("A test")),
    ("mcp", extras.need_mcp),
]
ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"


@pytest.mark.parametrize(("module", "load"), EXTRAS, ids=[module for module, _ in EXTRAS])
def test_a_missing_library_names_an_extra_that_brings_it(
    module: str, load: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("heapscope.extras.find_spec", lambda _: None)
    with pytest.raises(MissingDependency) as caught:
        load()
    line = str(caught.value).partition("; run: pip install ")[2]
    requirements = re.findall(r"'([^']+)'", line)
    assert requirements
    assert tuple(requirements) in extras.REQUIREMENTS.values()
    package = module.lower().replace("_", "-")
    words = [word for line in requirements for word in re.split(r"[\[\]>=<,; ]", line.lower())]
    assert any(word.startswith(package) for word in words)
    assert "heapscope" not in words, "no package index has it"


def test_the_pip_lines_install_what_the_extras_do() -> None:
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for extra, requirements in extras.REQUIREMENTS.items():
        assert tuple(declared[extra]) == requirements, extra
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    for extra, requirements in extras.REQUIREMENTS.items():
        line = "pip install " + " ".join(f"'{each}'" for each in requirements)
        assert re.search(rf"^\| `{extra}` \|.*`{re.escape(line)}` \|$", page, re.MULTILINE), extra
    assert declared.keys() - extras.REQUIREMENTS.keys() == {"samples", "test", "fuzz", "docs", "dev"}
