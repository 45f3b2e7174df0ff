"""The format of known leaks, checked when it is read; `heapscope.analysis.leaks.known_leaks` describes it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from heapscope.analysis.verdicts import CERTAIN, LIKELY, Confidence
from heapscope.errors import KnownLeaksError
from heapscope.parser.tags import ROOT_KIND_NAMES

CONFIDENCES = (CERTAIN, LIKELY)
DEFAULT_SHARE = 0.5

# What each kind of condition may say beside what all may: name -> type.
_TEXTS: Any = "a text or a list of texts"
_COMMON: dict[str, Any] = {
    "at_least": (int, float),
    "at_most": (int, float),
    "any": str,
    "hint": bool,
    "histogram": bool,
    "say": str,
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "count": {"where": dict, "except": _TEXTS},
    "ratio": {},
    "distinct": {"per": _TEXTS},
    "entries": {"of": _TEXTS},
    "loaders": {"of": _TEXTS, "through": str, "alone": bool},
    "value": {"is": str, "share": (int, float)},
    "map": {"key": str, "share": (int, float)},
    "sum": {"of": _TEXTS, "where": dict},
    "held": {"share": (int, float), "members": int},
    "roots": {"of": _TEXTS, "except": _TEXTS},
    "retained": {},
    "environment": {"is": str},
    "property": {"is": str},
}
# Conditions that mean nothing without a number.
_NEED_NUMBER = {"count", "ratio", "distinct", "entries", "loaders", "sum", "roots"}
_LEAK_KEYS: dict[str, Any] = {
    "id": str,
    "title": str,
    "unit": list,
    "affected": list,
    "why": str,
    "cure": list,
    "healthy": str,
    "sources": list,
    "confidence": str,
    "subject": dict,
    "signature": list,
}
_OPTIONAL_LEAK_KEYS: dict[str, Any] = {
    "is_general": bool,
    "class_counts_suffice": bool,
    "log_patterns": list,
    "born": str,
    "needs_growth": bool,
    "unverified": list,
    "tested_on": str,
}
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a leak is described."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What piles up: instances of classes, what is in a collection, or objects with GC roots of a kind.

    Attributes
    ----------
    classes : tuple of str
        Patterns as `heapscope.heap.graph.class_patterns.matching_classes` has them.
    without : tuple of str
        Patterns of classes that do not count.
    where : tuple of (str, str)
        A path of fields, and what must be there; of all of them.
    entries : str
        ``"a.B#field.field"``, or ``"field.field"`` of the instances of the classes `of`.
    roots : str
        A kind of GC root; on instances of the classes `of`, where there are any.
    of : tuple of str
        Patterns of classes: whose field `entries`, `inside` or `outside` is, or which `roots` are meant.
    inside, outside : str
        A collection as in `entries`: instances count that are in it, or that are in none of them.
    exact : bool
        Whether subclasses of the classes do not count.
    garbage : bool
        Whether instances count that nothing holds any more, as a dump of all objects has them.
    """

    classes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    entries: str = ""
    roots: str = ""
    of: tuple[str, ...] = ()
    inside: str = ""
    outside: str = ""
    exact: bool = False
    garbage: bool = False

    @property
    def is_of_classes(self) -> bool:
        """Whether the number of instances of its classes, which a class histogram has, is its number."""
        return bool(self.classes) and not (self.where or self.inside or self.outside or self.exact)

    @property
    def name(self) -> str:
        """What is counted, for people: the first class, or where the collection lies."""
        if self.classes:
            return self.classes[0].lstrip("*")
        where = self.entries.partition("|")[0].lstrip("*")
        return f"{self.of[0].lstrip('*')}.{where}" if where and self.of else where


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a signature.

    Attributes
    ----------
    kind : str
        The key that says what is looked at.
    operand : tuple of str
        What that key has.
    options : dict
        The keys of that kind alone.
    at_least, at_most : float or None
    any_of : str
        Name of the group of which one must hold; empty for a condition of its own.
    is_hint : bool
    for_histograms : bool
        Whether it is looked at in class histograms alone, in place of conditions that need objects.
    say : str
        Sentence of the evidence; empty for the sentence of the kind.
    """

    kind: str
    operand: tuple[str, ...]
    options: Mapping[str, Any]
    at_least: float | None
    at_most: float | None
    any_of: str
    is_hint: bool
    for_histograms: bool
    say: str

    @property
    def share(self) -> float:
        """The part of the subject for which it must be true."""
        return float(self.options.get("share", DEFAULT_SHARE))

    @property
    def where(self) -> tuple[tuple[str, str], ...]:
        """The paths of fields by which instances are picked, and what must be there."""
        return tuple(self.options.get("where", {}).items())

    def texts(self, name: str) -> tuple[str, ...]:
        """An option that is a text or a list of texts."""
        return _texts(self.options.get(name, ()))


@dataclass(frozen=True, slots=True)
class KnownLeak:
    """A leak that is known by what it leaves in the heap.

    The module `heapscope.analysis.leaks.known_leaks` says what each attribute means.
    """

    id: str
    family: str
    title: str
    unit: tuple[str, str]
    affected: tuple[str, ...]
    why: str
    cure: tuple[str, ...]
    healthy: str
    sources: tuple[Source, ...]
    confidence: Confidence
    subject: Subject
    signature: tuple[Condition, ...]
    is_general: bool
    class_counts_suffice: bool
    log_patterns: tuple[str, ...]
    born: str = ""
    needs_growth: bool = False
    unverified: tuple[str, ...] = ()
    tested_on: str = ""


def read_family(path: Path) -> list[KnownLeak]:
    """The leaks of one file.

    Raises
    ------
    KnownLeaksError
        It cannot be read or breaks the format; the message says where and how.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise KnownLeaksError(path, "", error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KnownLeaksError(path, "", f"no valid TOML: {error}") from None
    check = _Check(path, "the file")
    check.keys(document, {"family": str, "leak": list}, {})
    leaks = []
    for number, table in enumerate(document["leak"], 1):
        name = table.get("id") if isinstance(table, dict) else None
        leaks.append(_leak(table, document["family"], path, f"leak {name!r}" if name else f"leak {number}"))
    names = [leak.id for leak in leaks]
    for name in names:
        if names.count(name) > 1:
            raise KnownLeaksError(path, f"leak {name!r}", "this id is used twice")
    return leaks


@dataclass(frozen=True, slots=True)
class _Check:
    """Makes errors that name the file and the place in it."""

    path: Path
    place: str

    def fail(self, problem: str) -> KnownLeaksError:
        return KnownLeaksError(self.path, self.place, problem)

    def keys(self, table: Any, needed: Mapping[str, Any], optional: Mapping[str, Any]) -> None:
        if not isinstance(table, dict):
            raise self.fail(f"a table is needed here, not {table!r}")
        known = {**needed, **optional}
        for key, value in table.items():
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(sorted(known))}"
                raise self.fail(f"unknown key {key!r}{hint}")
            self.type(key, value, known[key])
        for key in needed:
            if key not in table:
                raise self.fail(f"the key {key!r} is missing")

    def type(self, key: str, value: Any, wanted: Any) -> None:
        if wanted is _TEXTS:
            is_right = isinstance(value, str) or (
                isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
            )
            name = _TEXTS
        else:
            is_right = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
            name = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}.get(
                wanted, "a number"
            )
        if not is_right or value in ("", []):
            raise self.fail(f"{key} must be {name}, not {value!r}")

    def text_list(self, key: str, value: Any) -> tuple[str, ...]:
        if not all(isinstance(each, str) and each for each in value):
            raise self.fail(f"{key} must be a list of texts, not {value!r}")
        return tuple(value)


def _leak(table: Any, family: str, path: Path, place: str) -> KnownLeak:
    check = _Check(path, place)
    check.keys(table, _LEAK_KEYS, _OPTIONAL_LEAK_KEYS)
    if not _ID.fullmatch(table["id"]):
        raise check.fail("id must be words of lower case letters and digits, joined by hyphens")
    if table["confidence"] not in CONFIDENCES:
        raise check.fail(f"confidence must be one of {', '.join(CONFIDENCES)}, not {table['confidence']!r}")
    unit = check.text_list("unit", table["unit"])
    if len(unit) != 2:
        raise check.fail('unit must be what one is called and what many are called: ["path", "paths"]')
    sources = []
    for each in table["sources"]:
        check.keys(each, {"label": str, "url": str}, {})
        if not each["url"].startswith("https://"):
            raise check.fail(f"url must begin with https://, not {each['url']!r}")
        sources.append(Source(each["label"], each["url"]))
    signature = tuple(
        _condition(each, _Check(path, f"{place}, condition {number}"))
        for number, each in enumerate(table["signature"], 1)
    )
    if all(condition.is_hint for condition in signature):
        raise check.fail("signature has hints only; at least one condition must be able to fail")
    patterns = check.text_list("log_patterns", table.get("log_patterns", []))
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise check.fail(f"log_patterns: {pattern!r} is no regular expression: {error}") from None
    return KnownLeak(
        id=table["id"],
        family=family,
        title=table["title"],
        unit=(unit[0], unit[1]),
        affected=check.text_list("affected", table["affected"]),
        why=_joined(table["why"]),
        cure=tuple(map(_joined, check.text_list("cure", table["cure"]))),
        healthy=_joined(table["healthy"]),
        sources=tuple(sources),
        confidence=Confidence(table["confidence"]),
        subject=_subject(table["subject"], _Check(path, f"{place}, subject")),
        signature=signature,
        is_general=table.get("is_general", False),
        class_counts_suffice=table.get("class_counts_suffice", False),
        log_patterns=patterns,
        born=table.get("born", ""),
        needs_growth=table.get("needs_growth", False),
        unverified=tuple(map(_joined, check.text_list("unverified", table.get("unverified", [])))),
        tested_on=_joined(table.get("tested_on", "")),
    )


def _subject(table: Any, check: _Check) -> Subject:
    optional = {"class": _TEXTS, "except": _TEXTS, "where": dict, "entries": str, "roots": str, "of": _TEXTS}
    optional |= {"inside": str, "outside": str, "exact": bool, "garbage": bool}
    check.keys(table, {}, optional)
    if sum(key in table for key in ("class", "entries", "roots")) != 1:
        raise check.fail("one of the keys class, entries and roots is needed, and only one")
    entries, roots, of = table.get("entries", ""), table.get("roots", ""), _texts(table.get("of", ()))
    inside, outside = table.get("inside", ""), table.get("outside", "")
    for location in (entries, inside, outside):
        if location and not of:
            _static(location, check)
    if (inside or outside) and "class" not in table:
        raise check.fail("inside and outside need class")
    if roots:
        _root_kind(roots, check)
    where = table.get("where", {})
    _where(where, check)
    classes, without = _texts(table.get("class", ())), _texts(table.get("except", ()))
    return Subject(
        classes=classes,
        without=without,
        where=tuple(where.items()),
        entries=entries,
        roots=roots,
        of=of,
        inside=inside,
        outside=outside,
        exact=table.get("exact", False),
        garbage=table.get("garbage", False),
    )


def _condition(table: Any, check: _Check) -> Condition:
    if not isinstance(table, dict):
        raise check.fail(f"a table is needed here, not {table!r}")
    kinds = [key for key in table if key in _OPTIONS]
    if len(kinds) != 1:
        found = f"it has {' and '.join(kinds)}" if kinds else f"it has {', '.join(table) or 'nothing'}"
        raise check.fail(f"exactly one of these keys is needed: {', '.join(_OPTIONS)}; {found}")
    kind = kinds[0]
    operand_type: Any = bool if kind == "retained" else _TEXTS
    check.keys(table, {kind: operand_type}, {**_OPTIONS[kind], **_COMMON})
    operand = () if kind == "retained" else _texts(table[kind])
    if kind in _NEED_NUMBER and "at_least" not in table and "at_most" not in table:
        raise check.fail(f"{kind} needs at_least or at_most")
    if kind == "ratio" and len(operand) != 2:
        raise check.fail('ratio needs two classes: ["a.B", "c.D"]; alternatives by |')
    if kind in ("entries", "loaders") and "of" not in table:
        for each in operand:
            _static(each, check)
    if kind == "roots":
        for each in operand:
            _root_kind(each, check)
    for needed in {"value": ("is",), "map": ("key",)}.get(kind, ()):
        if needed not in table:
            raise check.fail(f"{kind} needs {needed}")
    if not 0 < table.get("share", DEFAULT_SHARE) <= 1:
        raise check.fail(f"share lies between 0 and 1, not at {table['share']}")
    _where(table.get("where", {}), check)
    if "say" in table:
        try:
            table["say"].format(figure="")
        except (KeyError, IndexError, ValueError):
            raise check.fail("say may have {figure} in it, and no other braces") from None
    return Condition(
        kind=kind,
        operand=operand,
        options={key: table[key] for key in _OPTIONS[kind] if key in table},
        at_least=table.get("at_least"),
        at_most=table.get("at_most"),
        any_of=table.get("any", ""),
        is_hint=table.get("hint", False),
        for_histograms=table.get("histogram", False),
        say=table.get("say", ""),
    )


def _static(text: str, check: _Check) -> None:
    for each in text.split("|"):
        class_name, mark, path = each.partition("#")
        if not (class_name and mark and path):
            raise check.fail(f'{each!r} names no static field; write "a.B#field" or add of = "a.B"')


def _root_kind(name: str, check: _Check) -> None:
    if name not in ROOT_KIND_NAMES.values():
        raise check.fail(f"{name!r} is no kind of GC root; they are: {', '.join(ROOT_KIND_NAMES.values())}")


def _where(where: Mapping[str, Any], check: _Check) -> None:
    for key, value in where.items():
        if not isinstance(value, str):
            raise check.fail(f"where: {key} must be a text, not {value!r}")


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _joined(text: str) -> str:
    """A text that was broken into lines, in one line."""
    return " ".join(text.split())
