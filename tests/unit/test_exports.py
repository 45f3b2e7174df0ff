"""The public names: there, documented, and free until they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope
from heapscope import errors

ROOT = Path(heapscope.__file__).parent.parent
HEAVY = {
    "numba",
    "llvmlite",
    "numpy",
    "pandas",
    "matplotlib",
    "rich",
    "jinja2",
    "isal",
    "platformdirs",
    "jpype",
}


def imported_by(*command: str) -> set[str]:
    """Top-level names of all modules that a Python process has imported in the end."""
    report = (
        "import atexit, sys; atexit.register(lambda: print('\\n' + ' '.join(sys.modules), file=sys.stderr))"
    )
    run = f"sys.argv[1:] = {list(command[1:])!r}; {command[0]}"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}; {run}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("name", heapscope.__all__)
def test_public_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(heapscope, name)
    assert name in dir(heapscope)
    if callable(value):
        assert (value.__doc__ or "").strip(), f"heapscope.{name} has no docstring"


def test_all_says_each_name_once() -> None:
    assert len(heapscope.__all__) == len(set(heapscope.__all__)) > 10


def test_every_error_is_public() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert len(classes) >= 8
    assert classes <= set(heapscope.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        heapscope.opne  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(heapscope.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen | {"__version__"} == set(heapscope.__all__)


def test_every_public_object_has_a_docstring_with_its_room() -> None:
    assert heapscope.__doc__ is not None
    for room in ("collector", "parser", "analysis", "reporter", "cli", "errors"):
        assert room in heapscope.__doc__


def test_version_is_the_packages() -> None:
    parts = heapscope.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts[:2])


@pytest.mark.parametrize(
    "command",
    [
        ("import heapscope",),
        ("import heapscope.cli",),
        ("from heapscope.cli import main; sys.exit(main())", "--help"),
        ("from heapscope.cli import main; sys.exit(main())", "--version"),
        ("from heapscope.cli import main; sys.exit(main())", "report", "--help"),
        ("from heapscope.cli import main; sys.exit(main())", "trend", "--help"),
        ("from heapscope.cli import main; sys.exit(main())", "completion", "bash"),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    modules = imported_by(*command)
    assert "heapscope" in modules
    assert not modules & HEAVY


def test_the_measure_sees_what_is_heavy() -> None:
    assert "numpy" in imported_by("import numpy")


def test_a_histogram_in_a_pipe_imports_no_pandas_no_matplotlib_no_rich() -> None:
    path = "tests/golden/histograms/jcmd-17.txt"
    modules = imported_by("from heapscope.cli import main; sys.exit(main())", "histogram", path)
    assert "numpy" in modules
    assert not modules & {"pandas", "matplotlib", "rich", "jinja2"}
