"""Dependencies: each with a lower bound that can be tested, and a lock that names no host."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from heapscope import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def test_every_dependency_has_a_lower_bound_that_is_tested() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "oldest-versions"), "test"],
        capture_output=True,
        text=True,
        check=True,
    )
    pins = dict(line.split("==") for line in done.stdout.splitlines())
    names = {re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in PROJECT["dependencies"]}  # type: ignore[index]
    assert names <= set(pins)
    assert "numpy" in pins
    for extra in PROJECT["optional-dependencies"].values():
        # The demo's Hadoop jars are one release, whose classes are known.
        assert all(re.search(">=|==", line) or line.startswith("heapscope[") for line in extra)


def test_the_lock_is_of_versions_and_fits_the_bounds() -> None:
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert len(pins) > 30
    for line in lines:
        assert "://" not in line
        assert not line.startswith("-")
        assert " @ " not in line
    for line in PROJECT["dependencies"]:
        name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+).*", line).groups()  # type: ignore[union-attr]
        found = {key.lower(): value for key, value in pins.items()}[name.lower()]
        assert version(found) >= version(bound) or "python_version" in line


def test_the_version_is_one(tmp_path: Path) -> None:
    """Changelog and pages name the version that `heapscope.__version__` is."""
    changes = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[([^\]]+)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert versions[0] == __version__
    assert versions == sorted(versions, key=version, reverse=True)
    for page in ROOT.glob("docs/**/*.md"):
        named = re.findall(r"heapscope-(\d[\w.]*)-py3-none-any\.whl", page.read_text())
        assert set(named) <= {__version__}, page


def test_nothing_says_to_install_what_no_index_has() -> None:
    files = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("heapscope/**/*.py")]
    files += ROOT.glob("notebooks/*.ipynb")
    assert len(files) > 200
    for path in files:
        if path.name == "CONTRIBUTING.md":  # which forbids it
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.search(
                r"pip install (?:-\S+ )*'?heapscope(?![\w-])(?!.*(?:@ git\+|--find-links))", line
            )
            is_offline = "--no-index" in line
            assert found is None or is_offline, f"{path}: {line}"


def test_classifiers_are_true() -> None:
    classifiers = PROJECT["classifiers"]
    pythons = [line.rpartition(" :: ")[2] for line in classifiers if re.search(r"Python :: 3\.\d+$", line)]
    tried = re.findall(r"python(3\.\d+)", (ROOT / ".ci" / "make-venv").read_text())
    assert sorted(pythons, key=version) == sorted(set(tried), key=version)
    assert PROJECT["requires-python"] == f">={min(pythons, key=version)}"
    assert ("Typing :: Typed" in classifiers) == (ROOT / "heapscope" / "py.typed").exists()
    plugins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert ("Framework :: Pytest" in classifiers) == ("pytest11" in plugins)
    assert "Development Status :: 3 - Alpha" in classifiers, "before 1.0"
    assert __version__.startswith("0.")


def test_whatever_is_imported_is_declared() -> None:
    """Every library that the package imports is a dependency or in an extra; and every extra is used."""
    distributions = {
        "IPython": "ipython", "distributed": "dask", "jpype": "jpype1", "_pytest": "pytest",
        "prometheus_client": "prometheus-client",
        # What comes with the libraries that use it.
        "anyio": "starlette", "markupsafe": "jinja2", "mcp_types": "mcp", "psutil": "dask", "pydantic": "mcp",
    }  # fmt: skip
    imported = set()
    for path in (ROOT / "heapscope").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            imported |= {name.partition(".")[0] for name in names}
    imported -= {*sys.stdlib_module_names, "heapscope", "__future__", ""}
    extras = PROJECT["optional-dependencies"]
    everything = [*PROJECT["dependencies"], *(line for extra in extras.values() for line in extra)]
    declared = {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower() for line in everything}  # type: ignore[index]
    assert {distributions.get(name, name).lower() for name in imported} <= declared
