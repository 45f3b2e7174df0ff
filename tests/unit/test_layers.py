"""Imports go only down: process, collector | parser, analysis, reporter, cli (DESIGN.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope

PACKAGE = Path(heapscope.__file__).parent
SHARED = {"errors", "units", "progress", "cache", "machine_code", "files", "table", "secrets", "extras"}
# What each room may import beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "rich_repr": set(),
    "extras": {"errors"},
    "notebook_progress": {"extras"},
    "progress": {"notebook_progress"},
    "cache": {"errors"},
    "units": {"errors"},
    "files": {"errors"},
    "machine_code": {"cache"},
    "collector": SHARED,
    "parser": SHARED,
    "table": {"rich_repr"},
    "secrets": set(),
    "heap": SHARED | {"parser", "rich_repr"},
    "analysis": SHARED | {"heap", "parser", "rich_repr"},
    # Its files name the version they were made by.
    "reporter": SHARED | {"analysis", "heap", "parser", "__version__"},
    # Processes to try the rest on; it knows nothing of it.
    "demo": {"errors", "extras"},
    "cli": SHARED | {"collector", "parser", "heap", "analysis", "reporter", "demo", "__version__"},
    "__main__": {"cli"},
    # The public names are the sum of the rooms; nobody but users imports them.
    # The magic of IPython runs commands; it is loaded by the package's name.
    "__init__": SHARED | {"rich_repr", "collector", "heap", "analysis", "reporter", "cli"},
}
# Above the command line nobody, and libraries only where they belong.
LIBRARY_OWNERS: dict[str, set[str]] = {
    "click": {"cli"},
    "rich": {"cli"},
    "jinja2": {"reporter"},
    "matplotlib": {"reporter"},
    "IPython": {"extras"},
    "weasyprint": {"extras"},
    "isal": {"parser"},
    "zstandard": {"parser", "collector"},
    "jpype": {"collector", "demo"},
    "platformdirs": {"cache"},
    "pyarrow": {"extras"},
    "llvmlite": {"machine_code"},
    "numba": {"machine_code", "parser", "heap", "analysis"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(source: str, package: list[str]) -> Iterator[str]:
    """Full names of what a module imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def offences(path: Path, source: str) -> list[str]:
    room = room_of(path)
    package = ["heapscope", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for name in imports_of(source, package):
        top, *rest = name.split(".")
        if top == "heapscope" and rest and rest[0] not in MAY_IMPORT[room] | {room}:
            found.append(f"{path.relative_to(PACKAGE)}: {room} imports {name}")
        if top in LIBRARY_OWNERS and room not in LIBRARY_OWNERS[top]:
            found.append(f"{path.relative_to(PACKAGE)}: {room} imports {name}")
    return found


def test_every_module_lies_in_a_known_room() -> None:
    assert len(MODULES) > 20
    assert {room_of(path) for path in MODULES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_down(path: Path) -> None:
    assert offences(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("parser/scan.py", "from heapscope.analysis import heap"),
        ("parser/scan.py", "def f():\n    import heapscope.reporter.render"),
        ("parser/scan.py", "from heapscope.collector.dump import x"),
        ("collector/dump.py", "from heapscope.parser import scan"),
        ("collector/dump.py", "from ..analysis import heap"),
        ("analysis/heap.py", "from heapscope import open"),
        ("analysis/heap.py", "import matplotlib.pyplot as plt"),
        ("errors.py", "from heapscope import units"),
        ("reporter/render.py", "import click"),
    ],
)
def test_the_test_sees_imports_that_go_up(module: str, source: str) -> None:
    assert len(offences(PACKAGE / module, source)) == 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_below_500_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 500


@pytest.mark.parametrize("room", ["cli", "reporter"])
def test_what_talks_to_people_computes_nothing_on_columns(room: str) -> None:
    modules = [path for path in MODULES if room_of(path) == room]
    assert len(modules) > 10
    for path in modules:
        names = imports_of(path.read_text(encoding="utf-8"), ["heapscope", *path.parent.parts])
        assert not {name.partition(".")[0] for name in names} & {"numpy", "pandas"}, path


def test_only_the_command_line_prints_and_exits() -> None:
    found = []
    for path in MODULES:
        if room_of(path) in {"cli", "__main__"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.exit", "exit", "quit"}:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []
