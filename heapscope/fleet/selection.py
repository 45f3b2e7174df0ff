"""Cohorts named by hand: ``role=worker and env.X is set``.

::

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | test
    test       := NAME "is" ["not"] "set" | NAME ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE

Names: ``host``, ``pod``, ``role``, ``pid``, ``label`` (of the process), ``status``, ``cause``,
``heap_bytes``, ``snapshots``, ``time`` (of the last snapshot, ISO 8601), ``env.NAME``, ``property.NAME``,
``jar.NAME`` (its version), ``option.TEXT`` (``option.-XX:+UseG1GC is set``) and ``label.NAME`` of ``--name``.
In values ``*`` stands for any text; a value with spaces stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from heapscope.errors import HeapscopeError

if TYPE_CHECKING:
    from heapscope.fleet.fleet import Fleet
    from heapscope.fleet.processes import FleetProcess

# What a process is asked for by: the values that it has under a name.
Facts = Mapping[str, frozenset[str]]
Selection = Callable[[Facts], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>!=|<=|>=|=|<|>|\(|\))|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[^\s()=<>!]+))"""
)
_PLAIN = ("host", "pod", "role", "pid", "label", "status", "cause", "heap_bytes", "snapshots", "time")
_TABLES = {"env": "environment", "property": "properties", "label": "labels"}
_SIGNS = ("=", "!=", "<", "<=", ">", ">=")


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
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
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

    def expression(self) -> Selection:
        terms = [self.term()]
        while self.takes("or"):
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else lambda facts: any(each(facts) for each in terms)

    def term(self) -> Selection:
        factors = [self.factor()]
        while self.takes("and"):
            factors.append(self.factor())
        return factors[0] if len(factors) == 1 else lambda facts: all(each(facts) for each in factors)

    def factor(self) -> Selection:
        if self.takes("not"):
            inner = self.factor()
            return lambda facts: not inner(facts)
        if self.takes("("):
            inner = self.expression()
            if not self.takes(")"):
                raise self.error("expected ')'")
            return inner
        return self.test()

    def test(self) -> Selection:
        name = self.token
        if name is None or name in (*_SIGNS, "(", ")", "and", "or", "is"):
            raise self.error("expected a name")
        if name not in _PLAIN and name.partition(".")[0] not in (*_TABLES, "jar", "option"):
            raise self.error(
                f"there is no {name!r}; there are {', '.join(_PLAIN)}, "
                "env.X, property.X, jar.X, option.X, label.X"
            )
        self.advance()
        if self.takes("is"):
            is_wanted = not self.takes("not")
            if not self.takes("set"):
                raise self.error("expected 'set'")
            return lambda facts: (name in facts) == is_wanted
        sign = self.token
        if sign not in _SIGNS:
            raise self.error("expected 'is set' or one of = != < <= > >=")
        self.advance()
        value = self.token
        if value is None:
            raise self.error("expected a value")
        self.advance()
        return lambda facts: (
            any(_holds(each, sign, value) for each in facts.get(name, _NOTHING))
            or (sign == "!=" and name not in facts)
        )


_NOTHING: frozenset[str] = frozenset()


def _holds(found: str, sign: str, wanted: str) -> bool:
    if sign in ("=", "!="):
        return fnmatchcase(found, wanted) == (sign == "=")
    try:
        left: float | str = float(found)
        right: float | str = float(wanted)
    except ValueError:
        left, right = found, wanted
    below, equal = left < right, left == right  # type: ignore[operator]
    return {"<": below, "<=": below or equal, ">": not (below or equal), ">=": not below}[sign]


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
