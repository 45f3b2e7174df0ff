"""Where dumps lie: folders, patterns, and addresses of any file system that fsspec knows."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.errors import HeapscopeError
from heapscope.secrets import scrub

ENDINGS = (
    *(".hprof", ".hprof.gz", ".hprof.zst", ".hprof.xz", ".hprof.bz2"),
    *(".histogram.txt", ".histogram.txt.gz", ".histo"),
)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}", re.ASCII)
# What a file system says of the version of a file, the surest first.
_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "mtime",
    "LastModified",
    "last_modified",
    "modificationTime",
    "created",
)


@dataclass(frozen=True)
class Source:
    """A file that holds a dump, or class histograms.

    Attributes
    ----------
    url : str
        Its address; of a local file its absolute path.
    byte_count : int
    version : str
        What changes when the file is written anew: its ETag, or the time it was changed.
    labels : mapping of str to str
        What its path says.
    """

    url: str
    byte_count: int
    version: str
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def identity(self) -> str:
        """32 hexadecimal digits of address, length and version: the name of its sketch."""
        text = "\0".join((self.url, str(self.byte_count), self.version))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def is_remote(self) -> bool:
        """Whether it must be copied to be read."""
        return is_remote_address(self.url)


def is_remote_address(address: str) -> bool:
    """Whether it is no path of this machine."""
    return "://" in address


class NamePattern:
    """A pattern over paths: ``{cluster}/{host}/{pid}-{time}.hprof.zst``.

    Names in braces stand for text without a slash; ``*`` stands for any text without a slash.  The pattern is
    matched with the end of the path.

    Raises
    ------
    HeapscopeError
        It has no name in it, or one twice, or a brace that belongs to none.
    """

    def __init__(self, text: str) -> None:
        problem = _problem_of(text)
        if problem:
            raise HeapscopeError(f"--name {text!r}: {problem}")
        parts = []
        last = 0
        for found in _PLACEHOLDER.finditer(text):
            parts.append(_literal(text[last : found.start()].lstrip("/" if not last else "")))
            # The shortest, so that {pid}-{time} divides at the first hyphen; digits only for numbers.
            what = r"\d+" if found[1] in ("pid", "task") else "[^/]+?"
            parts.append(f"(?P<{found[1]}>{what})")
            last = found.end()
        parts.append(_literal(text[last:]))
        self.text = text
        self._pattern = re.compile("(?:.*/)?" + "".join(parts), re.DOTALL)

    def labels(self, path: str) -> dict[str, str]:
        """The names with what they stand for in a path; empty where the path does not fit."""
        found = self._pattern.fullmatch(path)
        return {} if found is None else found.groupdict()


def _problem_of(text: str) -> str:
    """What is wrong with a pattern; empty where it can be used."""
    names = _PLACEHOLDER.findall(text)
    rest = _PLACEHOLDER.sub("", text)
    brace = re.search(r"\{[^{}]*\}|[{}][^{}/]*", rest)
    if brace is not None:
        return (
            f"{brace[0]!r} is no name in braces: a letter first, then letters, digits and _, as in {{host}}"
        )
    if not names:
        return "it has no {name} in it, {host} for one"
    twice = next((name for name in names if names.count(name) > 1), None)
    return f"{{{twice}}} occurs twice" if twice else ""


def _literal(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*")


def find_sources(given: Iterable[str], name: NamePattern | None = None) -> list[Source]:
    """Every dump and class histogram that is named, each once, in the order of their addresses.

    Parameters
    ----------
    given : iterable of str
        Files, folders (with all folders in them), patterns with ``*``, ``?`` and ``**``, and addresses of
        such: ``s3://dumps/2026-05-*/``.  A file that is named itself is taken whatever its name ends in.
    name : NamePattern, optional

    Raises
    ------
    HeapscopeError
        Nothing is there, or the file system refuses.
    MissingDependency
        fsspec, or the library of a protocol, is not installed.
    """
    found: dict[str, Source] = {}
    for each in given:
        mine = _find(each, name)
        if not mine:
            raise HeapscopeError(
                f"{scrub(each)}: no dump is here: no name ends in {', '.join(ENDINGS)}; "
                "name the files themselves"
            )
        found.update((source.url, source) for source in mine)
    return [found[url] for url in sorted(found)]


def _find(given: str, name: NamePattern | None) -> list[Source]:
    fsspec = extras.fsspec("A fleet of dumps", "fleet")
    is_local = "://" not in given
    try:
        system, path = fsspec.core.url_to_fs(os.path.abspath(given) if is_local else given)
        is_local = is_local or given.startswith(("file://", "local://"))
        is_pattern = any(mark in path for mark in "*?[") and not (is_local and os.path.lexists(path))
        rows: list[dict[str, Any]] = []
        # With what the listing tells of each: asking for every file once more is a request for each.
        matching = system.glob(path, detail=True) if is_pattern else {path: system.info(path)}
        if not matching:
            raise HeapscopeError(f"{scrub(given)}: nothing has a name like this")
        for start, info in sorted(matching.items()):
            if is_pattern and _is_hidden(start):
                continue
            # A web server calls all that it has a file; its folders end in a slash.
            if info["type"] == "file" and not start.endswith("/"):
                rows.append(info)
            else:
                inside = system.find(start, detail=True)
                rows += [each for _, each in sorted(inside.items()) if _is_dump(each["name"])]
        # The listing of a web server tells no lengths.
        rows = [row if row.get("size") is not None else system.info(row["name"]) for row in rows]
    except HeapscopeError:
        raise
    # Whatever the library of a protocol raises: botocore's NoCredentialsError is no OSError; of a package
    # that is missing fsspec says which.
    except Exception as error:
        is_away = (
            isinstance(error, FileNotFoundError) and given.startswith("hdfs://") and not _has_root(given)
        )
        why = "the name node does not answer" if is_away else why_not(error)
        raise HeapscopeError(f"{scrub(given)}: {why}") from None
    address_of = os.path.abspath if is_local else partial(_address, system, given)
    return [_source(row, address_of, name) for row in rows if not _is_sidecar(row["name"])]


def _is_dump(path: str) -> bool:
    return path.endswith(ENDINGS) and not _is_hidden(path)


def _is_hidden(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _is_sidecar(path: str) -> bool:
    return path.endswith(".json")


def _source(row: Mapping[str, Any], address_of: Callable[[str], str], name: NamePattern | None) -> Source:
    path = row["name"]
    labels = {} if name is None else name.labels(path)
    return Source(address_of(path), int(row.get("size") or 0), version_of(row), labels)


def version_of(info: Mapping[str, Any]) -> str:
    """What its file system tells of a file that changes when it is written anew; empty where nothing does."""
    return next((str(info[key]) for key in _VERSIONS if info.get(key) is not None), "")


def _address(system: Any, given: str, path: str) -> str:
    """The address of a path, with the host of the address that was given.

    File systems whose paths begin with a slash (``hdfs://``, ``webhdfs://``, ``sftp://``) leave it out.
    """
    url: str = system.unstrip_protocol(path)
    protocol, _, rest = url.partition("://")
    given_protocol, _, beyond = given.rpartition("::")[2].partition("://")
    if not rest.startswith("/") or given_protocol != protocol:
        return url
    return f"{protocol}://{beyond.partition('/')[0]}{rest}"


def _has_root(given: str) -> bool:
    """Whether a file system has a root: libhdfs says of a name node that is away that no file is there."""
    system, _ = extras.fsspec("A fleet of dumps", "fleet").core.url_to_fs(given)
    return bool(system.exists("/"))


def why_not(error: Exception) -> str:
    """In one line why a file system does not give a file."""
    told: BaseException = error
    if isinstance(error, FileNotFoundError):
        # Of a web server that does not answer, or refuses, fsspec says that the file is not there.
        cause = error.__cause__
        is_away = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
        if cause is None or not (is_away or getattr(cause, "status", _NOT_FOUND) != _NOT_FOUND):
            return "there is no such file, folder or bucket"
        told = cause
    return scrub(" ".join(str(told).split())[:300]) or type(told).__name__


_NOT_FOUND = 404  # HTTP


def sidecar_of(url: str) -> str:
    """The address of what ``heapscope collect`` wrote beside a dump."""
    return f"{url}.json"


def local_name(source: Source) -> str:
    """The last part of its path, for a copy of it."""
    return Path(source.url).name
