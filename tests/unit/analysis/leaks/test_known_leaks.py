"""The format of known leaks: what it refuses and how it says so; conditions one by one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from heapscope.analysis.growth.snapshot import snapshot_of
from heapscope.analysis.leaks.evidence import SnapshotEvidence
from heapscope.analysis.leaks.known_leaks import KnownLeak, load_catalogue
from heapscope.analysis.leaks.signatures import match
from heapscope.errors import KnownLeaksError
from heapscope.heap.heap import Heap
from tests.support.dumps import DumpBuilder

HEAD = """
family = "Made up"
[[leak]]
id = "{id}"
title = "Caches grow"
unit = ["entry", "entries"]
affected = ["app 1.0"]
why = "Nobody takes them out."
cure = ["Take them out."]
healthy = "Few entries."
sources = [{{ label = "APP-1", url = "https://example.com/APP-1" }}]
confidence = "likely"
"""
BODY = """
subject = { class = "app.Entry" }
signature = [{ count = "subject", at_least = 3 }]
"""


def write(folder: Path, body: str = BODY, *, leak_id: str = "app-cache", more: str = "") -> Path:
    path = folder / "own.toml"
    path.write_text(HEAD.format(id=leak_id) + body + more, "utf-8")
    return path


def with_signature(
    folder: Path, conditions: str, subject: str = '{ class = "app.Entry" }', more: str = ""
) -> KnownLeak:
    path = write(folder, f"subject = {subject}\nsignature = [{conditions}]\n", more=more)
    return load_catalogue(path)[0]


def test_the_catalogue_is_large_and_whole() -> None:
    leaks = load_catalogue()
    assert len(leaks) >= 20
    assert len({leak.id for leak in leaks}) == len(leaks)
    for leak in leaks:
        assert leak.cure, leak.id
        assert leak.sources, leak.id
        assert "\n" not in leak.why
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


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'class = "app.Entry"',
            "",
            "leak 'app-cache', subject: one of the keys class, entries and roots is needed",
        ),
        ('class = "app.Entry"', 'clas = "app.Entry"', "unknown key 'clas'; did you mean 'class'?"),
        ('class = "app.Entry"', 'entries = "app.Cache"', "'app.Cache' names no static field"),
        ('class = "app.Entry"', 'roots = "JNI"', "'JNI' is no kind of GC root; they are: "),
        (
            'count = "subject", at_least = 3',
            'cuont = "subject"',
            "exactly one of these keys is needed: count, ratio",
        ),
        (
            'count = "subject", at_least = 3',
            'count = "subject"',
            "condition 1: count needs at_least or at_most",
        ),
        ("at_least = 3", 'at_least = "3"', "at_least must be a number, not '3'"),
        ("at_least = 3", "at_least = 3, hint = true", "signature has hints only"),
        ("at_least = 3", 'at_least = 3, say = "{x}"', "say may have {figure} in it, and no other braces"),
        ("at_least = 3", "at_least = 3, share = 0.5", "unknown key 'share'"),
        ('count = "subject", at_least = 3', 'ratio = ["a.B"], at_least = 3', "ratio needs two classes"),
        ('count = "subject", at_least = 3', 'value = "x"', "condition 1: value needs is"),
        ('count = "subject", at_least = 3', 'held = "x", share = 2', "share lies between 0 and 1, not at 2"),
        (
            'confidence = "likely"',
            'confidence = "sure"',
            "confidence must be one of certain, likely, not 'sure'",
        ),
        ('id = "app-cache"', 'id = "App Cache"', "id must be words of lower case letters"),
        ('unit = ["entry", "entries"]', 'unit = ["entry"]', "unit must be what one is called and what many"),
        ('cure = ["Take them out."]', "cure = []", "cure must be a list, not []"),
        ('cure = ["Take them out."]', "", "the key 'cure' is missing"),
        ("https://example.com", "http://example.com", "url must begin with https://"),
        ('family = "Made up"', "family = 3", "the file: family must be a text, not 3"),
        ("[[leak]]", "[leak]", "the file: leak must be a list"),
        ("signature = [", "signature = [[", "no valid TOML"),
    ],
)
def test_what_breaks_the_format_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write(tmp_path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(KnownLeaksError) as caught:
        load_catalogue(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_log_pattern_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(KnownLeaksError, match="log_patterns: '\\(' is no regular expression"):
        load_catalogue(write(tmp_path, more='log_patterns = ["("]\n'))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KnownLeaksError, match="No such file"):
        load_catalogue(tmp_path / "none.toml")


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten entries in a static map, four of them marked, five with a JNI global reference, 100 bytes each."""
    d = DumpBuilder()
    d.cls("app.Entry", fields={"name": "String", "size": "int", "content": "Object", "next": "Object"})
    d.cls("app.Special", "app.Entry")
    d.cls("app.Cache", fields={"map": "Map"})
    entries: dict[int | str, int | str | None] = {}
    ids = []
    for i in range(10):
        content = d.primitive_array("byte", bytes(100))
        kind = "app.Special" if i < 4 else "app.Entry"
        each = d.instance(kind, name=f"marked-{i}" if i < 4 else "plain", size=i, content=content)
        ids.append(each)
        entries[f"key-{i}"] = each
    d.static("app.Cache", "INSTANCE", "Object", d.instance("app.Cache", map=d.hash_map(entries)))
    d.root("STICKY_CLASS", d.class_id("app.Cache"))
    for each in ids[:5]:
        d.root("JNI_GLOBAL", each)
    return d.dump().save(tmp_path_factory.mktemp("scene") / "app.hprof")


def matched(dump: Path, leak: KnownLeak, **scene: Any) -> list[str] | None:
    """Evidence of a leak in the dump, None where its signature does not fit."""
    with Heap(dump) as heap:
        found = match(leak, SnapshotEvidence(snapshot_of(heap), heap.graph, heap.superclasses, **scene))
        return None if found is None else [outcome.text for outcome in found.outcomes]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ('{ count = "subject", at_least = 10 }', True),
        ('{ count = "subject", at_least = 11 }', False),
        ('{ count = "subject", at_most = 9 }', False),
        ('{ count = "app.Entry", except = "app.Special", at_least = 7 }', False),
        ('{ count = "app.Entry", where = { name = "marked-*" }, at_least = 4 }', True),
        ('{ count = "app.Entry", where = { name = "marked-*" }, at_least = 5 }', False),
        ('{ count = "app.Entry", where = { size = ">= 8" }, at_least = 2 }', True),
        ('{ count = "app.Entry", where = { size = ">= 8" }, at_least = 3 }', False),
        ('{ count = "app.Entry", where = { size = "!= 0" }, at_least = 9, at_most = 9 }', True),
        ('{ count = "app.Entry", where = { next = "null" }, at_least = 10 }', True),
        ('{ count = "app.Entry", where = { content = "byte*" }, at_least = 10 }', False),  # bytes, no name
        ('{ ratio = ["app.Entry", "app.Cache"], at_least = 10 }', True),
        ('{ ratio = ["app.Entry", "app.Cache"], at_least = 10.5 }', False),
        ('{ ratio = ["app.Entry", "threads"], at_least = 10 }', True),
        ('{ distinct = "content", at_least = 10 }', True),
        ('{ distinct = "nowhere|content", at_least = 10 }', True),
        ('{ distinct = "size", per = "name", at_least = 6 }', True),
        ('{ distinct = "size", per = "name", at_least = 7 }', False),
        ('{ distinct = "nowhere", at_least = 1 }', False),
        ('{ entries = "app.Cache#INSTANCE.map", at_least = 10 }', True),
        ('{ entries = "app.Cache#INSTANCE.map", at_least = 11 }', False),
        ('{ entries = "app.Cache#MISSING", at_least = 1 }', False),
        ('{ entries = "map", of = "app.Cache", at_least = 10 }', True),
        ('{ entries = "map", of = "app.Entry", at_least = 1 }', False),
        ('{ loaders = "app.Cache#INSTANCE.map", at_least = 1 }', False),
        ('{ value = "name", is = "plain" }', True),
        ('{ value = "name", is = "plain", share = 0.61 }', False),
        ('{ map = "name", key = "x" }', False),
        ('{ sum = "size", at_least = 45 }', True),
        ('{ sum = "size", at_least = 45.5 }', False),
        ('{ sum = "size", of = "app.Special", at_least = 6, at_most = 6 }', True),
        ('{ held = "*Cache.map*", share = 1 }', True),
        ('{ held = ["no", "JNI global"], share = 0.5 }', True),
        ('{ held = "JNI global", share = 0.6 }', False),
        ('{ held = "JNI global", members = 5 }', True),
        ('{ held = "JNI global", members = 6 }', False),
        ('{ roots = "JNI global", at_least = 4 }', True),  # of one class, four of them
        ('{ roots = "JNI global", at_least = 5 }', False),
        ('{ roots = "JNI global", except = "app.Special", at_least = 2 }', False),
        ("{ retained = true, at_least = 0.2 }", True),
        ("{ retained = true, at_most = 0.2 }", False),
        ('{ environment = "HOME" }', True),
        ('{ environment = "HOME", is = "/root*" }', False),
        ('{ environment = "KRB5CCNAME" }', False),
        ('{ property = "java.version", is = "17*" }', True),
        ('{ count = "app.Cache", at_least = 1 }, { count = "app.None", at_least = 1, any = "x" }', False),
        (
            '{ count = "app.Cache", at_least = 1, any = "x" },'
            '{ count = "app.None", at_least = 1, any = "x" }',
            True,
        ),
        ('{ count = "subject", at_least = 1 }, { count = "app.None", at_least = 1, hint = true }', True),
    ],
)
def test_conditions(tmp_path: Path, dump: Path, condition: str, fits: bool) -> None:
    leak = with_signature(tmp_path, condition)
    found = matched(dump, leak, environment={"HOME": "/home/x"}, properties={"java.version": "17.0.15"})
    assert (found is not None) == fits


def test_evidence_has_figures(tmp_path: Path, dump: Path) -> None:
    leak = with_signature(
        tmp_path,
        '{ count = "subject", at_least = 1 }, { sum = "size", at_least = 1, say = "{figure} in all" }',
    )
    assert matched(dump, leak) == ["10 entries", "45 in all"]


def test_an_unknown_environment_is_no_proof_of_absence(tmp_path: Path, dump: Path) -> None:
    conditions = '{ count = "subject", at_least = 1 }, { environment = "HOME" }'
    assert matched(dump, with_signature(tmp_path, conditions)) is not None
    assert matched(dump, with_signature(tmp_path, conditions), environment={"PATH": "/bin"}) is None


@pytest.mark.parametrize(
    ("subject", "count"),
    [
        ('{ class = "app.Entry" }', 10),
        ('{ class = "app.Entry", except = "app.Special" }', 6),
        ('{ class = "app.Entry", where = { name = "marked-*" } }', 4),
        ('{ class = ["app.Cache", "app.Special"] }', 5),
        ('{ entries = "app.Cache#INSTANCE.map" }', 10),
        ('{ roots = "JNI global" }', 4),
        ('{ roots = "JNI global", except = ["app.Sp*"] }', 1),
    ],
)
def test_subjects(tmp_path: Path, dump: Path, subject: str, count: int) -> None:
    leak = with_signature(
        tmp_path, f'{{ count = "subject", at_least = {count}, at_most = {count} }}', subject
    )
    assert matched(dump, leak) is not None


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
