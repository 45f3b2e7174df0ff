"""Which files may be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heapscope import HeapscopeError
from heapscope.agent.scope import OutOfScope, Scope

HISTOGRAM = Path(__file__).parents[3] / "sample_dumps" / "leak-1.histogram.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "inside"
    (inside / "below").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for place in (inside / "a", inside / "below" / "b", tmp_path / "outside" / "c"):
        shutil.copy(HISTOGRAM, f"{place}.histogram.txt")
    (inside / "worker.log").write_text("x\n")
    return inside


def test_names_are_paths_below_the_folder(folder: Path) -> None:
    scope = Scope([folder])
    assert scope.resolve("a.histogram.txt") == folder / "a.histogram.txt"
    assert scope.resolve("below/b.histogram.txt") == folder / "below" / "b.histogram.txt"
    assert scope.resolve(str(folder / "a.histogram.txt")) == folder / "a.histogram.txt"
    assert scope.name_of(folder / "below" / "b.histogram.txt") == "below/b.histogram.txt"
    assert [each.name for each in scope.snapshots()] == ["a.histogram.txt"]
    assert [each.name for each in scope.snapshots(["below"])] == ["b.histogram.txt"]
    assert scope.logs() == ["worker.log"]


@pytest.mark.parametrize(
    "name",
    ["../outside/c.histogram.txt", "/etc/passwd", "", "no-such-file", "a\0b", "below/../../outside"],
)
def test_what_lies_elsewhere_is_out_of_scope(folder: Path, name: str) -> None:
    for scope in (Scope([folder]), Scope([folder / "a.histogram.txt"])):
        with pytest.raises(OutOfScope, match="is not among what this server may read"):
            scope.resolve(name)


def test_links_are_judged_by_where_they_lead(folder: Path) -> None:
    outside = folder.parent / "outside"
    (folder / "link.histogram.txt").symlink_to(outside / "c.histogram.txt")
    (folder / "linked").symlink_to(outside)
    (folder / "link.log").symlink_to("/etc/hostname")
    (folder / "own.histogram.txt").symlink_to(folder / "below" / "b.histogram.txt")
    scope = Scope([folder])
    for name in ("link.histogram.txt", "linked", "linked/c.histogram.txt", "link.log"):
        with pytest.raises(OutOfScope):
            scope.resolve(name)
    assert scope.resolve("own.histogram.txt") == folder / "below" / "b.histogram.txt"
    assert scope.logs() == ["worker.log"]
    found = {scope.name_of(each) for each in scope.snapshots()}
    assert found == {"a.histogram.txt", "below/b.histogram.txt"}


def test_a_companion_that_leads_out_puts_its_snapshot_out_of_scope(folder: Path) -> None:
    (folder / "a.histogram.txt.json").symlink_to("/etc/hostname")
    with pytest.raises(OutOfScope):
        Scope([folder]).resolve("a.histogram.txt")


def test_a_folder_that_was_given_by_a_link_is_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "given").symlink_to(folder)
    assert Scope([tmp_path / "given"]).resolve("a.histogram.txt") == folder / "a.histogram.txt"


def test_single_files_are_known_by_their_names(folder: Path) -> None:
    scope = Scope([folder / "a.histogram.txt", folder / "worker.log"])
    assert scope.resolve("a.histogram.txt") == folder / "a.histogram.txt"
    assert [each.name for each in scope.snapshots()] == ["a.histogram.txt"]
    assert scope.logs() == ["worker.log"]


def test_what_does_not_exist_cannot_be_given(tmp_path: Path) -> None:
    with pytest.raises(HeapscopeError, match="no such file or directory"):
        Scope([tmp_path / "nothing"])
