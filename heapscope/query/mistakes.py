"""What is wrong with a query, in one line: the engine's message with its place and the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from heapscope.errors import QueryError

_MISSING_TABLE = re.compile(r"Table with name (.+?) does not exist!")
_MISSING_COLUMN = re.compile(r'(?:Referenced column|Values list .* does not have a column named) "(.+?)"')
_OF_FUNCTION = re.compile(r"Python exception occurred while executing the UDF: (\w+): (.*)", re.DOTALL)
_CANDIDATES = re.compile(r'(?:Candidate bindings: |Did you mean )"?(.+)')
_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)


def missing_table(message: str) -> str | None:
    """The table that the engine does not know, None where it complains of something else."""
    found = _MISSING_TABLE.search(message)
    return found[1] if found else None


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """Names that may have been meant, the likeliest first.

    Parameters
    ----------
    name : str
        As it was written.
    candidates : iterable of str
        Names that are there.
    """
    known = {each.lower(): each for each in candidates}
    found = get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    if not found:  # the simple name may be right, and the package wrong
        simple = name.rpartition(".")[2].lower()
        found = [each for each in known if each.rpartition(".")[2] == simple][:3]
    return [known[each] for each in found]


def query_error(
    query: str, message: str, types: Mapping[str, Mapping[str, str]], prefix: str = ""
) -> QueryError:
    """The engine's message as one line.

    Parameters
    ----------
    query : str
    message : str
        Of DuckDB.
    types : mapping
        Columns of each table.
    prefix : str
        Lines that stood before the query when the engine saw it.
    """
    line, column = _place(prefix + query, message)
    line = None if line is None else max(line - prefix.count("\n"), 1)
    of_function = _OF_FUNCTION.search(message)
    if of_function:
        return QueryError(of_function[2].splitlines()[0].strip(), line, column)
    if "Out of Memory" in message[:40] or "OutOfMemory" in message[:40]:
        return QueryError("the memory does not suffice; ask for less, or pass more with --memory")
    first = message.splitlines()[0]
    problem = re.sub(r"^[A-Z][\w ]*? Error: ", "", first).rstrip("!.")
    missing = _MISSING_COLUMN.search(first)
    if missing:
        offered = _CANDIDATES.search(message)
        names = re.findall(r'"([^"]+)"', offered[0]) if offered else []
        names += [name for columns in types.values() for name in columns] if not names else []
        return QueryError(f"there is no column {missing[1]!r}", line, column, nearest(missing[1], names))
    if "file system operations are disabled" in message or "disabled by configuration" in message:
        return QueryError("queries read heaps only: no file, no network, no extension", line, column)
    offered = _CANDIDATES.search(message)
    return QueryError(problem, line, column, [offered[1].split('"')[0]] if offered else [])


def _place(query: str, message: str) -> tuple[int | None, int | None]:
    """Line and column that the engine points at, from 1."""
    found = _LINE.search(message)
    if found is None:
        return None, None
    line = int(found[1])
    rest = message[found.start() :].split("\n")
    if len(rest) < 2 or "^" not in rest[1]:
        return line, None
    at = rest[1].index("^") - len(found[0])
    shown = rest[0][len(found[0]) :]
    if shown.startswith("..."):  # of a long line a part is shown
        whole = query.split("\n")[line - 1] if line <= query.count("\n") + 1 else ""
        begin = whole.find(shown[3:].removesuffix("..."))
        if begin < 0:
            return line, None
        at += begin - 3
    return line, at + 1
