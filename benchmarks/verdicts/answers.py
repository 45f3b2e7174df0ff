"""What heapscope answers, asked through its command line with ``--json``, and what that says.

An answer names an owner in one of two ways.  Where it has a key ``owner`` that is it: a text that ends in
``Class.field``, or an object with ``class_name`` and ``field``.  Else the first way from a GC root is read as
a person reads it: the fields of the program's own classes on it, in their order.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapscope.cli import main

_STEP = re.compile(r"^(?:static )?(?P<owner>[\w$.]+)\.(?P<field>[\w$]+)(?: \(static\))?$")
_TYPE = re.compile(r" \([\w$.\[\]<>]+\)$")  # "(HashMap)" after the field
_DEATH = "is reached about"
LEAK, HEALTHY = "leak", "no leak found"


@dataclass(frozen=True, slots=True)
class Answer:
    """One command's: its exit code, its JSON (empty where it failed), and what it said on stderr."""

    exit_code: int
    document: Mapping[str, Any]
    error: str


def ask(*arguments: str | Path, document: Path | None = None) -> Answer:
    """Call heapscope in this process.

    Parameters
    ----------
    document : Path, optional
        Where the command writes its JSON, if not to stdout; removed before and after.
    """
    said, complained = io.StringIO(), io.StringIO()
    if document is not None:
        document.unlink(missing_ok=True)
    with redirect_stdout(said), redirect_stderr(complained):
        code = main([str(each) for each in arguments])
    text = said.getvalue()
    if document is not None:
        text = document.read_text() if document.exists() else ""
        document.unlink(missing_ok=True)
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    return Answer(code, found if isinstance(found, dict) else {}, complained.getvalue().strip())


def failure(answer: Answer) -> str:
    """Of a command that did not answer: ``error 3: heapscope: no such file``."""
    return f"error {answer.exit_code}: {answer.error}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person takes from an answer.

    Attributes
    ----------
    verdict : str
        As the answer has it.
    class_name : str
        What is named first as piling up; empty where nothing is.
    owners : tuple of str
        ``SimpleClass.field``: the one that is named first as the holder; of an answer without ``owner`` the
        fields of the program on the first way, in their order.
    known : str
        Id of the first finding; empty where there is none.
    deaths : tuple of str
        What is said of when memory runs out.
    contradictions : tuple of str
        Two statements of this answer that cannot both hold.
    mistakes : tuple of str
        Figures that are not so.
    off_heap_bytes : int
        Of the first finding: memory outside of the Java heap (key ``off_heap_bytes``).
    """

    verdict: str
    class_name: str = ""
    owners: tuple[str, ...] = ()
    known: str = ""
    deaths: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    off_heap_bytes: int = 0

    @property
    def first_owner(self) -> str:
        """For a table: what is named first."""
        return " -> ".join(self.owners)


def simple_field(text: str) -> str:
    """``SessionRegistry.sessions`` of ``static com.acme.SessionRegistry.sessions (HashMap)``; else empty."""
    text = text.strip()
    if not text.endswith(" (static)"):
        text = _TYPE.sub("", text)
    match = _STEP.match(text)
    return "" if match is None else f"{match['owner'].rpartition('.')[2]}.{match['field']}"


def own_fields(way: Iterable[str], classes: frozenset[str]) -> tuple[str, ...]:
    """The steps of a way that are fields of the program's own classes (full names), each once."""
    simple = {name.rpartition(".")[2] for name in classes}
    fields = [simple_field(step) for step in way]
    return tuple(dict.fromkeys(each for each in fields if each and each.rpartition(".")[0] in simple))


def read_diagnosis(answer: Answer, classes: frozenset[str]) -> Reading:
    """What ``diagnose --json`` says; of several processes that of the first with a finding."""
    processes = list(answer.document.get("processes", ()))
    if not processes:
        return Reading(failure(answer))
    chosen = next((each for each in processes if each.get("findings")), processes[0])
    findings = chosen.get("findings") or []
    first = findings[0] if findings else {}
    holders: Sequence[Any] = findings or chosen.get("owners") or chosen.get("holders") or []
    contradictions = contradictions_of_diagnosis(chosen)
    if len(processes) > 1:
        contradictions.append(f"one process is taken for {len(processes)}")
    return Reading(
        str(chosen.get("status", "")),
        str(first.get("class_name", "")),
        _owners(holders[0], classes) if holders else (),
        str(first.get("id", "")),
        tuple(each for each in chosen.get("runs_out", ()) if _DEATH in each),
        tuple(contradictions),
        off_heap_bytes=int(first.get("off_heap_bytes") or 0),
    )


def read_suspects(answer: Answer, classes: frozenset[str]) -> Reading:
    """What ``suspects --json`` says: the first suspect."""
    if answer.exit_code:
        return Reading(failure(answer))
    suspects = answer.document.get("suspects") or []
    if not suspects:
        return Reading("no suspect")
    first = suspects[0]
    return Reading("suspect", str(first.get("class_name", "")), _owners(first, classes))


def read_growth(answer: Answer) -> tuple[str, ...]:
    """Dates at which ``growth --json`` sees memory run out."""
    return tuple(
        f"{each['limit']['name']} at {each['at']}"
        for each in answer.document.get("forecasts", ())
        if each.get("at")
    )


def wrong_limits(answer: Answer, heap_bytes: int) -> tuple[str, ...]:
    """Limits of the heap in ``growth --json`` that lie above the JVM's own."""
    limits = [each["limit"] for each in answer.document.get("forecasts", ())]
    return tuple(
        f"a heap limit of {each['limit_bytes']:,} bytes, which is {heap_bytes:,}"
        for each in limits
        if each["name"] == "heap limit" and each["limit_bytes"] > heap_bytes
    )


def read_check(answer: Answer) -> Reading:
    """What ``check --against --json`` says, held against its exit code."""
    verdict = answer.document.get("verdict")
    if not isinstance(verdict, str):
        return Reading(failure(answer))
    meant = {0: "fixed", 1: "not fixed", 4: "too early to tell"}.get(answer.exit_code)
    wrong = () if meant == verdict else (f"{verdict!r} with exit code {answer.exit_code}",)
    rows = answer.document.get("classes") or []
    return Reading(verdict, str(rows[0].get("name", "")) if rows else "", contradictions=wrong)


def _owners(named: Any, classes: frozenset[str]) -> tuple[str, ...]:
    """The owner that a finding, a suspect or an entry of ``owners`` names first."""
    if isinstance(named, str):
        return (simple_field(named),)
    owner = named.get("owner")
    if isinstance(owner, Mapping):
        owner = f"{owner.get('class_name', '')}.{owner.get('field', '')}"
    if isinstance(owner, str) and owner:
        return (simple_field(owner) or owner,)
    return own_fields(_first_way(named), classes)


def _first_way(named: Mapping[str, Any]) -> list[str]:
    """Steps of the first way that a finding or a suspect shows."""
    path = named.get("path")
    if path:
        return _steps_of_path(path.get("steps") or ())
    holders = named.get("holders") or ()
    branch = holders.get("holders") if isinstance(holders, Mapping) else holders
    way = []
    while branch:
        way.append(str(branch[0].get("label", "")))
        branch = branch[0].get("children")
    return way


def _steps_of_path(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """``Class.field`` for each step of a path that is a field."""
    way = []
    for step in steps:
        name = str(step.get("class_name", "")).removeprefix("class ")
        way += [f"{name}.{each.removeprefix('static ')}" for each in list(step.get("references") or ())[:1]]
    return way


def contradictions_of_diagnosis(section: Mapping[str, Any]) -> list[str]:
    """Statements of one diagnosis that cannot both hold."""
    findings, status = section.get("findings") or [], section.get("status")
    found = []
    if bool(findings) != (status == LEAK):
        found.append(f"status {status!r} with {len(findings)} findings")
    deaths = [each for each in section.get("runs_out", ()) if _DEATH in each]
    if status == HEALTHY and deaths:
        found.append(f"{HEALTHY}, and {deaths[0]}")
    titles = {each.get("title") for each in findings}
    found += [
        f"leaks, and does not grow: {each}"
        for each in section.get("steady", ())
        if any(title and each.startswith(title) for title in titles)
    ]
    return found


def contradictions_of_report(document: Mapping[str, Any]) -> list[str]:
    """Statements of one report (``report -o FILE.json``) that cannot both hold."""
    section = document.get("diagnosis") or {}
    found = contradictions_of_diagnosis(section)
    page, diagnosed = document.get("status"), section.get("status")
    headline = str(document.get("headline", ""))
    if (page == LEAK) != (diagnosed == LEAK) and (LEAK in (page, diagnosed)):
        found.append(f"the headline says {page!r} ({headline}), the diagnosis {diagnosed!r}")
    if page == "growth" and diagnosed == HEALTHY and not headline.lower().startswith(HEALTHY):
        found.append(f"the headline says {headline!r}, the diagnosis {diagnosed!r}")
    outlook = document.get("outlook") or {}
    dates = [each for each in outlook.get("forecasts", ()) if each.get("at")]
    if dates and diagnosed == HEALTHY:
        found.append(f"{HEALTHY}, and the outlook has memory run out at {dates[0]['at']}")
    return found
