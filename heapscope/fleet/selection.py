"""Cohorts named by hand: ``role=worker and env.X is set``.

::

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | test
    test       := NAME "is" ["not"] "set" | NAME ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE

Names: ``host``, ``pod``, ``role``, ``pid``, ``label`` (of the process), ``status``, ``cause``,
``heap_bytes``, ``snapshots``, ``time`` (of the last snapshot, ISO 8601), ``env.NAME``, ``property.NAME``,
``jar.NAME`` (its version), ``option.TEXT`` (``option.-XX:+UseG1GC is set``) and ``label.NAME`` of ``--name``.
In values ``*`` stands for any text; a name or a value with spaces or signs in it stands in quotes.
``heap_bytes`` takes sizes (``2GB``), ``time`` dates and times; without a time zone they are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from heapscope.analysis.verdicts import HEALTHY, LEAK, UNDECIDED
from heapscope.errors import HeapscopeError
from heapscope.units import parse_bytes

if TYPE_CHECKING:
    from heapscope.fleet.fleet import Fleet
    from heapscope.fleet.processes import FleetProcess

# What a process is asked for by: the values that it has under a name.
Facts = Mapping[str, frozenset[str]]
_Holds = Callable[[Facts], bool]


@dataclass(frozen=True)
class Selection:
    """An expression; called with a process's facts it says whether it picks the process.

    Attributes
    ----------
    text : str
    tests : tuple
        Names with the values that are asked for; None where only whether it is set matters.
    """

    text: str
    tests: tuple[tuple[str, str | None], ...]
    holds: _Holds

    def __call__(self, facts: Facts) -> bool:
        return self.holds(facts)

    def remarks(self, processes: Sequence[Facts]) -> list[str]:
        """Names that no process has, and values that none has, with those near to them."""
        known: dict[str, set[str]] = {}
        for facts in processes:
            for name, values in facts.items():
                known.setdefault(name, set()).update(values)
        found = []
        for name, value in dict.fromkeys(self.tests):
            if name not in known:
                found.append(f"no process has {name}{_near(name, known)}")
            elif value is not None and not any(fnmatchcase(each, value) for each in known[name]):
                found.append(f"no process has {name}={value}{_near(value, known[name])}")
        return found


def _near(text: str, known: Collection[str]) -> str:
    if not text.strip("*"):
        return ""
    found = get_close_matches(text, sorted(known), _NEAR, _ALIKE)
    return f"; near to it: {', '.join(found)}" if found else ""


_NEAR, _ALIKE = 3, 0.6

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>!=|<=|>=|=|<|>|\(|\))|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s()=<>!]+))"""
)
_PLAIN = ("host", "pod", "role", "pid", "label", "status", "cause", "heap_bytes", "snapshots", "time")
_TABLES = {"env": "environment", "property": "properties", "label": "labels"}
_PREFIXES = (*_TABLES, "jar", "option")
_SIGNS = ("=", "!=", "<", "<=", ">", ">=")
_STATUSES = (str(LEAK), str(HEALTHY), str(UNDECIDED))


def parse_selection(text: str) -> Selection:
    """A test of a process's facts.

    Raises
    ------
    HeapscopeError
        The text is no such expression; the message says where it ends to be one.
    """
    parser = _Parser(text)
    found = parser.expression()
    if parser.token is not None:
        raise parser.error("expected 'and', 'or' or the end")
    return Selection(text, tuple(parser.tests), found)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.tests: list[tuple[str, str | None]] = []
        self._tokens = self._split()
        self.token: str | None = None
        self.is_quoted = False
        self.advance()

    def _split(self) -> Iterator[tuple[int, str, bool]]:
        at = 0
        while self.text[at:].strip():
            found = _TOKEN.match(self.text, at)
            if found is None:
                self.place = at
                raise self.error("this cannot be read")
            quoted = found["double"] if found["double"] is not None else found["single"]
            yield at, quoted if quoted is not None else found["sign"] or found["word"], quoted is not None
            at = found.end()

    def advance(self) -> None:
        self.place, self.token, self.is_quoted = next(self._tokens, (len(self.text), None, False))

    def error(self, problem: str) -> HeapscopeError:
        rest = self.text[self.place :].strip()
        where = f"at {rest[:30]!r}" if rest else "at the end"
        return HeapscopeError(
            f"cohort {self.text!r}: {where}: {problem}; e.g. 'role=worker and env.X is set'"
        )

    def takes(self, word: str) -> bool:
        if self.token != word or self.is_quoted:
            return False
        self.advance()
        return True

    def expression(self) -> _Holds:
        terms = [self.term()]
        while self.takes("or"):
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else lambda facts: any(each(facts) for each in terms)

    def term(self) -> _Holds:
        factors = [self.factor()]
        while self.takes("and"):
            factors.append(self.factor())
        return factors[0] if len(factors) == 1 else lambda facts: all(each(facts) for each in factors)

    def factor(self) -> _Holds:
        if self.takes("not"):
            inner = self.factor()
            return lambda facts: not inner(facts)
        if self.takes("("):
            inner = self.expression()
            if not self.takes(")"):
                raise self.error("expected ')'")
            return inner
        return self.test()

    def test(self) -> _Holds:
        name = self.token
        if name is None or name in (*_SIGNS, "(", ")", "and", "or", "is"):
            raise self.error("expected a name")
        self.check_name(name)
        self.advance()
        if self.takes("is"):
            is_wanted = not self.takes("not")
            if not self.takes("set"):
                raise self.error("expected 'set'")
            self.tests.append((name, None))
            return lambda facts: (name in facts) == is_wanted
        sign = self.token
        if sign not in _SIGNS:
            raise self.error("expected 'is set' or one of = != < <= > >=")
        self.advance()
        value = self.token
        if value is None or (not self.is_quoted and value in (*_SIGNS, "(", ")")):
            raise self.error("expected a value")
        compared = self.comparison(name, sign, value)
        self.advance()
        self.tests.append((name, value if sign == "=" else None))
        return lambda facts: (
            any(map(compared, facts.get(name, _NOTHING))) or (sign == "!=" and name not in facts)
        )

    def check_name(self, name: str) -> None:
        prefix, dot, rest = name.partition(".")
        if name in _PLAIN or (prefix in _PREFIXES and rest):
            return
        if prefix in _PREFIXES:
            raise self.error(f"expected a name behind {prefix}, as in {prefix}.X")
        known = (*_PREFIXES, *_TABLES.values()) if dot else (*_PLAIN, *_PREFIXES)
        by_table = {table: each for each, table in _TABLES.items()}
        meant = [by_table.get(each, each) for each in get_close_matches(prefix.lower(), known, 1, _ALIKE)]
        if not meant:
            raise self.error(
                f"there is no {name!r}; there are {', '.join(_PLAIN)}, "
                f"{', '.join(f'{each}.X' for each in _PREFIXES)}"
            )
        near = f"{meant[0]}.{rest or 'X'}" if meant[0] in _PREFIXES else meant[0]
        raise self.error(f"there is no {name!r}; near to it: {near}")

    def comparison(self, name: str, sign: str, value: str) -> Callable[[str], bool]:
        """Whether what a process has under a name stands to a value as asked for."""
        read = _READ.get(name)
        if sign in ("=", "!=") and (read is None or "*" in value):
            if name == "status" and not any(fnmatchcase(each, value) for each in _STATUSES):
                raise self.error(f"there is no such status; there are {', '.join(map(repr, _STATUSES))}")
            return lambda found: fnmatchcase(found, value) == (sign == "=")
        if read is None:
            return lambda found: _in_order(found, sign, value)
        try:
            wanted = read(value)
        except ValueError:
            raise self.error(f"{name} is compared with {_WHAT[name]}") from None
        return lambda found: _stands(read(found), sign, wanted)


def _moment(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _size(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_bytes(text)


# Names whose values are no texts.
_READ: dict[str, Callable[[str], float]] = {
    "heap_bytes": _size,
    "snapshots": float,
    "pid": float,
    "time": _moment,
}
_WHAT = {
    "heap_bytes": "a size, 2GB for one",
    "snapshots": "a number",
    "pid": "a number",
    "time": "a date or a time, 2026-05-31T12:00 for one",
}
_NOTHING: frozenset[str] = frozenset()


def _in_order(found: str, sign: str, wanted: str) -> bool:
    """As numbers where both are some, else as texts."""
    try:
        return _stands(float(found), sign, float(wanted))
    except ValueError:
        return _stands(found, sign, wanted)


def _stands(left: Any, sign: str, right: Any) -> bool:
    below, equal = left < right, left == right
    return bool(
        {
            "=": equal,
            "!=": not equal,
            "<": below,
            "<=": below or equal,
            ">": not (below or equal),
            ">=": not below,
        }[sign]
    )


def facts_of(fleet: Fleet, processes: list[FleetProcess]) -> list[Facts]:
    """What each process can be picked by."""
    found: list[dict[str, set[str]]] = []
    place_of: dict[str, int] = {}
    for place, each in enumerate(processes):
        place_of |= {snapshot: place for snapshot in (each.last, each.last_dump) if snapshot}
        when = each.captured_at[-1]
        plain = {
            "host": each.host,
            "pod": each.pod,
            "role": each.role,
            "pid": "" if each.pid is None else str(each.pid),
            "label": each.label,
            "status": str(each.status),
            "heap_bytes": str(each.heap_bytes[-1]),
            "snapshots": str(len(each.snapshots)),
            "time": "" if when is None else when.isoformat(),
        }
        facts = {name: {value} for name, value in plain.items() if value}
        if each.causes:
            facts["cause"] = {cause.cause.key for cause in each.causes}
        found.append(facts)
    for prefix, table in _TABLES.items():
        for snapshot, name, value in _pairs(fleet, table, "name, value"):
            if snapshot in place_of:
                found[place_of[snapshot]].setdefault(f"{prefix}.{name}", set()).add(value)
    for snapshot, name, value in _pairs(fleet, "jars", "name, coalesce(version, '')"):
        if snapshot in place_of:
            found[place_of[snapshot]].setdefault(f"jar.{name}", set()).add(value)
    for snapshot, name, value in _pairs(fleet, "jvm_options", "option, option"):
        if snapshot in place_of:
            found[place_of[snapshot]].setdefault(f"option.{name}", set()).add(value)
    return [{name: frozenset(values) for name, values in facts.items()} for facts in found]


def _pairs(fleet: Fleet, table: str, columns: str) -> Iterator[tuple[str, str, str]]:
    rows = fleet.answer(f"SELECT snapshot, {columns} FROM {table}").to_arrow()
    return zip(*(rows.column(place).to_pylist() for place in range(3)), strict=True)
