"""The catalogue of known leaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.errors import KnownLeaksError
from tests.unit.analysis.leaks.own_leaks import BODY, HEAD, write


def test_the_catalogue_is_large_and_whole() -> None:
    leaks = load_catalogue()
    assert len(leaks) >= 45
    assert len({leak.id for leak in leaks}) == len(leaks)
    for leak in leaks:
        assert leak.cure, leak.id
        assert leak.sources, leak.id
        assert "\n" not in leak.why
        assert leak.tested_on, leak.id
    # A general leak must not take the objects of a specific one.
    is_general = [leak.is_general for leak in leaks]
    assert is_general == sorted(is_general)


def test_a_file_of_ones_own_comes_first(tmp_path: Path) -> None:
    leaks = load_catalogue(write(tmp_path))
    assert leaks[0].id == "app-cache"
    assert leaks[0].family == "Made up"
    assert len(leaks) == len(load_catalogue()) + 1


def test_an_id_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(KnownLeaksError, match="leak 'jdk-inflaters': this id is taken; choose another"):
        load_catalogue(write(tmp_path, leak_id="jdk-inflaters"))
    path = write(tmp_path)
    path.write_text(path.read_text("utf-8") + HEAD.format(id="app-cache").split("\n", 2)[2] + BODY, "utf-8")
    with pytest.raises(KnownLeaksError, match="leak 'app-cache': this id is used twice"):
        load_catalogue(path)


def test_the_example_of_the_contributors_guide_is_a_leak(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[4] / "CONTRIBUTING.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    path = tmp_path / "acme.toml"
    path.write_text(example, "utf-8")
    leak = load_catalogue(path)[0]
    assert (leak.id, leak.subject.classes, len(leak.signature)) == (
        "acme-session-cache",
        ("com.acme.Session",),
        4,
    )
