"""The format of known leaks: what it refuses, and how it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.errors import KnownLeaksError
from tests.unit.analysis.leaks.own_leaks import write


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
        ('class = "app.Entry"', 'class = "app.Entry", inside = "map"', "'map' names no static field"),
        ('class = "app.Entry"', 'entries = "a.B#c", outside = "a.B#d"', "inside and outside need class"),
        ('class = "app.Entry"', 'entries = "a.B#c|d"', "'d' names no static field"),
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
