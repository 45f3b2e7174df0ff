"""Imports go only down, never in a circle; those in functions and under ``TYPE_CHECKING`` count as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

import heapscope

PACKAGE = Path(heapscope.__file__).parent
SHARED = {
    "errors",
    "units",
    "progress",
    "cache",
    "machine_code",
    "files",
    "table",
    "secrets",
    "extras",
    "isolated_python",
    "memory_limits",
    "ownership",
    "plain",
}
# What each room may import beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "isolated_python": set(),
    "memory_limits": set(),
    "ownership": set(),
    "plain": {"secrets"},
    "rich_repr": set(),
    "handed_down": set(),
    "queryable": {"handed_down"},
    "explorable": {"handed_down"},
    "extras": {"errors"},
    "notebook_progress": {"extras"},
    "progress": {"notebook_progress"},
    "side_by_side": {"progress"},
    "cache": {"errors"},
    "units": {"errors"},
    "files": {"errors"},
    "kernel_claim": set(),
    "kernel_files": {"ownership"},
    "kernel_target": set(),
    "machine_code": {
        *("cache", "isolated_python", "kernel_claim", "kernel_files", "kernel_target"),
        *("memory_limits", "ownership"),
    },
    "kernel_build": {"isolated_python", "kernel_target", "machine_code"},  # a program; nobody imports it
    "collector": SHARED,
    "parser": SHARED,
    "table": {"plain", "rich_repr"},
    "secrets": set(),
    "heap": SHARED | {"side_by_side", "parser", "rich_repr", "queryable", "explorable", "handed_down"},
    "analysis": SHARED | {"heap", "parser", "rich_repr", "queryable"},
    "query": SHARED | {"analysis", "heap", "parser", "rich_repr"},
    "fleet": SHARED | {"analysis", "heap", "parser", "query"},
    # Its files name the version they were made by.
    "reporter": SHARED | {"analysis", "fleet", "heap", "parser", "__version__"},
    "explorer": SHARED | {"analysis", "heap", "parser", "query", "reporter"},
    # Processes to try the rest on; it knows nothing of it.
    "demo": {"errors", "extras", "isolated_python"},
    "cli": SHARED
    | {"collector", "parser", "heap", "analysis", "query", "fleet", "reporter"}
    | {"demo", "explorer", "agent", "__version__"},
    "agent": SHARED | {"collector", "parser", "heap", "analysis", "query", "reporter", "__version__"},
    "testing": SHARED | {"collector", "parser", "heap", "analysis", "reporter"},
    "__main__": {"cli"},
    # The public names are the sum of the rooms; nobody but users imports them.
    # The magic of IPython runs commands; it is loaded by the package's name.
    "__init__": SHARED
    | {"rich_repr", "handed_down", "collector", "heap", "analysis", "query", "fleet"}
    | {"reporter", "cli", "testing"},
}
# Above the command line nobody, and libraries only where they belong.
LIBRARY_OWNERS: dict[str, set[str]] = {
    "click": {"cli"},
    "rich": {"cli"},
    "jinja2": {"reporter", "explorer"},
    "starlette": {"explorer", "extras"},
    "uvicorn": {"explorer", "extras"},
    "matplotlib": {"reporter"},
    "IPython": {"extras"},
    "prometheus_client": {"extras"},
    "weasyprint": {"extras"},
    "isal": {"parser"},
    "zstandard": {"parser", "collector"},
    "jpype": {"collector", "demo"},
    "platformdirs": {"cache"},
    "dask": {"fleet"},
    "distributed": {"extras", "fleet"},
    "duckdb": {"extras"},
    "mcp": {"agent"},
    "pyarrow": {"extras"},
    "pytest": {"testing"},
    "scipy": {"extras"},
    "llvmlite": {"kernel_target", "machine_code", "heap"},  # heap: one instruction that numba lacks
    "numba": {"machine_code", "parser", "heap", "analysis"},
}
# Inside a room from the bottom up, folders and single files: nothing imports what stands behind it here.
FLOORS: dict[str, tuple[str, ...]] = {
    "heap": (
        "graph",
        "objects",
        "retention",
        "watched_classes",
        "vm_facts",
        "histogram",
        "object_set",
        "object_relations",
        "object_table",
        "heap",
    ),
    "analysis": ("thresholds", "verdicts", "growth", "memory", "leaks", "logs", "snapshots", "diagnosis"),
    "cli": ("common",),
}
# Java objects decode into Java objects: a value asks for the collection, the collection for its elements.
DECODING = {
    f"heapscope.heap.objects.{name}"
    for name in ("java_object", "java_collections", "hash_chains", "values", "inspector")
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


def name_of(path: Path) -> str:
    """``heapscope.heap.graph.index`` of ``heap/graph/index.py``."""
    parts = ["heapscope", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports anywhere, the package's own facade left out."""
    names = {name_of(path): path for path in MODULES}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        package = ["heapscope", *path.relative_to(PACKAGE).parent.parts]
        mine = set()
        for imported in imports_of(path.read_text(encoding="utf-8"), package):
            while imported and imported not in names:
                imported = imported.rpartition(".")[0]
            # A package that is imported for its own sake runs nothing of its modules.
            if imported not in ("", name, "heapscope") and not name.startswith(f"{imported}."):
                mine.add(imported)
        found[name] = mine
    return found


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The sets of nodes that reach each other, of more than one node."""
    graph = networkx.DiGraph((a, b) for a, targets in edges.items() for b in targets)
    return [set(found) for found in networkx.strongly_connected_components(graph) if len(found) > 1]


def test_no_circle_of_files_but_the_decoding_of_objects() -> None:
    assert circles(import_graph()) == [DECODING]


def test_no_circle_of_folders() -> None:
    """Between rooms, and between the folders of one room; a room's own files may use its folders."""

    def folder(name: str) -> tuple[str, ...]:
        parent = PACKAGE.parent.joinpath(*name.split("."))
        return tuple(name.split(".")[1:] if parent.is_dir() else name.split(".")[1:-1])

    edges: dict[str, set[str]] = {}
    for name, imported in import_graph().items():
        for other in imported:
            mine, its = folder(name), folder(other)
            if not mine or not its:
                continue
            if mine[0] != its[0]:
                edges.setdefault(mine[0], set()).add(its[0])
            elif len(mine) > 1 and len(its) > 1 and mine[1] != its[1]:
                edges.setdefault("/".join(mine[:2]), set()).add("/".join(its[:2]))
    assert len(edges) > 8
    assert circles(edges) == []


@pytest.mark.parametrize("room", FLOORS)
def test_inside_a_room_imports_go_down_as_well(room: str) -> None:
    floors = FLOORS[room]
    assert {each for each in floors if not (PACKAGE / room / each).is_dir()} <= {
        path.stem for path in (PACKAGE / room).glob("*.py")
    }

    def floor(name: str) -> int:
        part = name.split(".")[2] if name.count(".") > 1 else ""
        return floors.index(part) if part in floors else len(floors)

    offences = [
        f"{name} imports {other}"
        for name, imported in import_graph().items()
        if name.startswith(f"heapscope.{room}.")
        for other in imported
        if other.startswith(f"heapscope.{room}.") and floor(other) > floor(name)
    ]
    assert offences == []


def test_commands_and_reports_compute_nothing_on_columns() -> None:
    offences = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if room_of(path) in {"cli", "reporter"}
        for name in imports_of(path.read_text(encoding="utf-8"), [])
        if name.partition(".")[0] == "numpy"
    ]
    assert offences == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("parser/scan.py", "from heapscope.analysis import heap"),
        (
            "heap/graph/roots.py",
            "if TYPE_CHECKING:\n    from heapscope.analysis import x",
        ),
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
