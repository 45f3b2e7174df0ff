"""Where dumps lie, and what their paths say."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from heapscope.errors import HeapscopeError
from heapscope.fleet.sources import NamePattern, find_sources


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a/1.hprof",
        "a/b/2.hprof.zst",
        "a/3.histogram.txt",
        "a/1.hprof.json",
        "a/notes.txt",
        "a/.4.hprof",
    ):
        put(tmp_path / name)
    return tmp_path


def names(given: list[str]) -> list[str]:
    return [Path(each.url).name for each in find_sources(given)]


def test_a_folder_stands_for_all_dumps_below_it(tree: Path) -> None:
    assert names([str(tree)]) == ["1.hprof", "3.histogram.txt", "2.hprof.zst"]


def test_patterns_and_addresses_name_the_same_files_once(tree: Path) -> None:
    found = find_sources([f"file://{tree}/a/*.hprof", str(tree / "a/*.hprof"), str(tree / "a/1.hprof")])
    assert [each.url for each in found] == [str(tree / "a/1.hprof")]
    assert not found[0].is_remote


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tree: Path) -> None:
    assert names([str(tree / "a/notes.txt")]) == ["notes.txt"]


def test_the_identity_changes_with_the_file(tree: Path) -> None:
    path = tree / "a/1.hprof"
    (before,) = find_sources([str(path)])
    os.utime(path, (1, 1))
    (touched,) = find_sources([str(path)])
    path.write_bytes(b"yy")
    (changed,) = find_sources([str(path)])
    assert len({before.identity, touched.identity, changed.identity}) == 3
    assert find_sources([str(path)]) == [changed]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("nowhere", "no such file, folder or bucket"),
        ("empty", "no dump is here"),
        ("*.nothing", "nothing has a name like this"),
        ("what://bucket", "Protocol not known: what"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, given: str, problem: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(HeapscopeError, match=problem) as caught:
        find_sources([given if "://" in given else str(tmp_path / given)])
    assert "\n" not in str(caught.value)


def test_secrets_of_an_address_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(HeapscopeError) as caught:
        find_sources(["what://AKIA0123456789ABCDEF:s3cr3t-of-mine@bucket/x"])
    assert "s3cr3t-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "path", "labels"),
    [
        ("{host}/{pid}-{time}.hprof", "/d/h1/17-noon.hprof", {"host": "h1", "pid": "17", "time": "noon"}),
        ("{cluster}/{host}/*.hprof", "b/north/h-2/x.hprof", {"cluster": "north", "host": "h-2"}),
        ("/dumps/{host}.hprof", "/dumps/h1.hprof", {"host": "h1"}),
        ("{pid}.hprof", "/d/worker.hprof", {}),
        ("{host}.hprof", "/d/h1.hprof.gz", {}),
    ],
)
def test_a_pattern_reads_the_end_of_a_path(pattern: str, path: str, labels: dict[str, str]) -> None:
    assert NamePattern(pattern).labels(path) == labels


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("*.hprof", "it has no {name} in it"),
        ("{host}-{host}.hprof", "{host} occurs twice"),
        ("{host/{pid}.hprof", "'{host' is no name in braces"),
        ("{host}/pid}.hprof", "'}.hprof' is no name in braces"),
        ("{host}/{1}.hprof", "'{1}' is no name in braces"),
        ("{host}/{task-index}.hprof", "'{task-index}' is no name in braces"),
        ("{}/{host}.hprof", "'{}' is no name in braces"),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(HeapscopeError, match=re.escape(problem)) as caught:
        NamePattern(pattern)
    assert str(caught.value).startswith(f"--name {pattern!r}: ")
