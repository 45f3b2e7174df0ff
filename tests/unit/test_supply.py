"""Dependencies: each with a lower bound that can be tested, and a lock that names no host."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

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
