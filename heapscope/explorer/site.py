"""What all pages share: the frame around them, addresses, waiting for work, text made fit to show."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

import jinja2
import numpy as np
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from heapscope.errors import HeapscopeError, ObjectNotFound
from heapscope.explorer.jobs import Job
from heapscope.explorer.session import FAILED, READY, OpenedDump, Session
from heapscope.heap.objects.secret_texts import masked_text, secret_texts
from heapscope.heap.retention.edge_names import simple_name
from heapscope.reporter.markup import breakable, coded
from heapscope.reporter.text import plural, printable
from heapscope.units import format_bytes, format_count, format_time

if TYPE_CHECKING:
    from starlette.requests import Request

ROWS = 50  # of a page
_MOST_CHARACTERS = 12_000  # of a text or a name; those that are honest are shorter
_FEW = 100  # referrers that are looked at
NAVIGATION = (
    ("/", "Start"),
    ("/classes", "Classes"),
    ("/dominators", "Dominators"),
    ("/icicle", "Icicle"),
    ("/threads", "Threads"),
    ("/roots", "Roots"),
    ("/strings", "Strings"),
    ("/loaders", "Loaders"),
    ("/sql", "SQL"),
    ("/compare", "Compare"),
    ("/notes", "Notes"),
)


@dataclass(frozen=True, slots=True)
class Ways:
    """The same answer elsewhere, to be copied; empty where there is none."""

    command: str = ""
    python: str = ""
    sql: str = ""


class Wait(Exception):
    """Raised where a page needs what is still computed: progress is shown instead of it."""

    def __init__(self, job: Job | None = None, dump: OpenedDump | None = None) -> None:
        super().__init__()
        self.job = job
        self.dump = dump


class Problem(Exception):
    """Raised where there is no such page: one line, and what to do.

    Attributes
    ----------
    status : int
        Of HTTP; 200 where nothing is wrong, and there is nothing to show.
    """

    def __init__(self, text: str, status: int = 404) -> None:
        super().__init__(text)
        self.status = status


class Site:
    """The pages of a session.

    Parameters
    ----------
    session : Session
    base : str
        What stands before every address, where a proxy serves the pages under a path of its own.
    """

    def __init__(self, session: Session, base: str = "") -> None:
        self.session = session
        self.base = base.rstrip("/")
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("heapscope.explorer"),
            autoescape=True,
            finalize=_shown,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"name": _name, "coded": lambda text: coded(_shown(text))}
        self._environment.globals.update(
            bytes_=format_bytes,
            count=format_count,
            plural=plural,
            time=format_time,
            address=hexadecimal,
            lines=lines,
            simple=simple_name,
        )

    # --- addresses ---

    def url(self, path: str, dump: OpenedDump | None = None, /, **query: object) -> str:
        """The address of a page; the dump is named where it is not the one that is meant anyway.

        Parameters
        ----------
        path : str
            ``"/objects/0xfd8cf318"``; parts that come from a heap are quoted by the caller.
        query
            Arguments; those that are None or empty are left out.
        """
        arguments = {key: value for key, value in query.items() if value not in (None, "")}
        if dump is not None and dump.name != self.session.default_name:
            arguments["dump"] = dump.name
        return f"{self.base}{path}" + (f"?{urlencode(arguments)}" if arguments else "")

    def object_url(self, object_id: int, dump: OpenedDump) -> str:
        """The page of an object."""
        return self.url(f"/objects/{hexadecimal(object_id)}", dump)

    def class_url(self, class_name: str, dump: OpenedDump, **query: object) -> str:
        """The page of a class."""
        return self.url(f"/classes/{quote(class_name, safe='')}", dump, **query)

    def here(self, request: Request) -> str:
        """The address that was asked for, with its query."""
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{self.base}{self._path(request)}{query}"

    def _path(self, request: Request) -> str:
        """The path that was asked for, as it was written: a class name may have ``?`` and ``#`` in it."""
        raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
        return raw.partition(b"?")[0].decode("ascii", "replace").removeprefix(self.base) or "/"

    # --- what a page is about ---

    def dump_of(self, request: Request) -> OpenedDump:
        """The dump that a page is about, counted.

        Raises
        ------
        Problem
            There is no such dump, or it cannot be read.
        Wait
            It is being counted.
        """
        name = request.query_params.get("dump", "")
        dump = self.session.dump(name)
        if dump is None:
            raise Problem(
                f"no dump {name!r} is open; open are: {', '.join(d.name for d in self.session.dumps)}"
            )
        if dump.state == FAILED:
            raise Problem(dump.error, 500)
        if dump.snapshot is None:
            raise Wait(dump=dump)
        return dump

    def ready_dump(self, request: Request) -> OpenedDump:
        """The same with its references and dominators.

        Raises
        ------
        Problem, Wait
        """
        dump = self.dump_of(request)
        if dump.state != READY:
            raise Wait(dump=dump)
        return dump

    def computed(self, key: object, title: str, compute: Callable[[], Any]) -> Any:
        """What a job computes.

        Raises
        ------
        Wait
            It goes on.
        Problem
            It failed.
        """
        job = self.session.jobs.ask(key, title, compute)
        if not job.is_finished:
            raise Wait(job)
        if job.error:
            self.session.jobs.forget(job.number)
            raise Problem(f"{title}: {job.error}", 500)
        return job.result

    def find_paths(self, dump: OpenedDump) -> None:
        """Find shortest paths to all objects, which takes a pass over all references, once.

        Raises
        ------
        Problem, Wait
        """

        def compute() -> None:
            _ = dump.graph.owner_parents, dump.graph.reachability.parents

        self.computed(("paths", dump.name), "shortest paths from the GC roots", compute)

    # --- answers ---

    def page(
        self,
        request: Request,
        template: str,
        title: str,
        dump: OpenedDump | None = None,
        *,
        ways: Ways | None = None,
        status: int = 200,
        **parts: Any,
    ) -> Response:
        """A whole page."""
        path = self._path(request)
        found = self.render(
            template,
            title=title,
            dump=dump,
            dumps=self.session.dumps,
            is_several=len(self.session.dumps) > 1,
            navigation=[(self.url(to, dump), name, _is_at(path, to)) for to, name in NAVIGATION],
            ways=ways,
            here=path,
            here_with_query=self.here(request),
            for_dump=lambda other: self._same_page_of(request, other),
            **parts,
        )
        return HTMLResponse(found, status, headers={"cache-control": "no-store"})

    def fragment(self, template: str, **parts: Any) -> Response:
        """A part of a page, put into it by a script."""
        return HTMLResponse(self.render(template, **parts), headers={"cache-control": "no-store"})

    def render(self, template: str, **parts: Any) -> str:
        """A template, filled in."""
        return self._environment.get_template(template).render(
            site=self, show_secrets=self.session.show_secrets, **parts
        )

    def _same_page_of(self, request: Request, other: OpenedDump) -> str:
        path = self._path(request)
        query = {
            key: value
            for key, value in request.query_params.items()
            if key not in ("dump", "from", "node", "of")
        }
        # An address, and a place in an icicle, mean nothing in another dump.
        path = "/" if path.startswith("/objects/") else path
        if path.startswith("/classes/") and not _has_class(other, unquote(path.removeprefix("/classes/"))):
            return self.url("/classes", other)
        return self.url(path, other, **query)

    # --- text ---

    def text_of(self, dump: OpenedDump, object_id: int, text: str, name: str = "") -> str:
        """The text that an object stands for, as it may be shown: a secret is one wherever it is met.

        Parameters
        ----------
        name : str
            Of the field or key that holds it.

        Raises
        ------
        Wait
            It is not known yet which texts are secret.
        """
        if self.session.show_secrets or not text:
            return text
        if not dump.has_secrets:
            raise Wait(dump=dump)
        return masked_text(dump.graph, object_id, text, name)

    def array_text(self, dump: OpenedDump, index: int, text: str) -> str:
        """The same of a byte[] or char[], which is as secret as a string that it belongs to."""
        if self.session.show_secrets or not text:
            return text
        if not dump.has_secrets:
            raise Wait(dump=dump)
        rows = np.append(dump.graph.references.referrers_of(index)[:_FEW], index)
        shown = secret_texts(dump.graph).mask(rows, [text] * rows.size)
        return next((each or "" for each in shown if each != text), text)


def _has_class(dump: OpenedDump, class_name: str) -> bool:
    return dump.snapshot is not None and class_name in dump.snapshot.histogram.column("class_name")


def hexadecimal(object_id: int) -> str:
    """``0xfd8cf318``."""
    return f"0x{object_id:x}"


def _shown(value: Any) -> Any:
    """Every text of a template: nothing in it acts on a reader, and none fills a page of its own."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}…")


def _name(text: str) -> Markup:
    """A name, which breaks after its dots and dollars where a line is too short for it."""
    return breakable(_shown(text))


def _is_at(path: str, to: str) -> bool:
    return path == to or (to != "/" and path.startswith(f"{to}/"))


def path_of(dump: OpenedDump) -> str:
    """Where a dump lies, from wherever it is asked for."""
    return os.path.abspath(dump.path)


def ways_of(dump: OpenedDump, command: str, python: str, sql: str = "") -> Ways:
    """`Ways` with the dump's path, quoted for the shell, in place of ``DUMP``; all run as they stand."""
    path = path_of(dump)
    name, separator, rest = command.partition("DUMP")
    return Ways(
        f"heapscope {name}{shlex.quote(path)}{rest}" if separator else f"heapscope {command}",
        f"import heapscope\n\nheap = heapscope.open({path!r})\n{python}" if python else "",
        sql,
    )


def lines(text: str) -> Markup:
    """A text of several lines as it is; what else acts on a reader is written out."""
    return Markup("\n").join(printable(line) for line in text.replace("\r\n", "\n").split("\n"))


def number_of(request: Request, name: str, default: int = 0) -> int:
    """A number of the address, not below 0.

    Raises
    ------
    Problem
        It is none.
    """
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(f"{name}={text!r} is no number", 400)
    return int(text)


def one_of(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """A word of the address, the first of the choices by default.

    Raises
    ------
    Problem
        It is none of them.
    """
    found = request.query_params.get(name, "") or choices[0]
    if found not in choices:
        raise Problem(f"{name}={found!r}: it is one of {', '.join(choices)}", 400)
    return found


def as_problem(error: HeapscopeError) -> Problem:
    """The page that says what an error says."""
    return Problem(str(error), 404 if isinstance(error, ObjectNotFound) else 400)


def percent(part: float, whole: float) -> float:
    """Between 0 and 100."""
    return min(max(100.0 * part / whole, 0.0), 100.0) if whole else 0.0
