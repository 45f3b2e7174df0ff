"""The addresses of the explorer, and what answers each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from heapscope.errors import HeapscopeError
from heapscope.explorer import classes, compare, icicle, lists, objects, sets, sql, start, tree
from heapscope.explorer.session import Session
from heapscope.explorer.site import Problem, Site, Wait
from heapscope.reporter.notes import add_note, remove_note
from heapscope.reporter.render import style_sheet

if TYPE_CHECKING:
    from starlette.requests import Request

Handler = Callable[[Site, "Request"], Response]
_MAX_BODY_BYTES = 64 << 10
_PAGES: dict[str, Handler] = {
    "/": start.start,
    "/classes": classes.classes,
    "/classes/{name:path}": classes.one_class,
    "/objects/{address}": objects.one_object,
    "/dominators": tree.dominators,
    "/icicle": icicle.icicle,
    "/threads": lists.threads,
    "/roots": lists.roots,
    "/strings": lists.strings,
    "/loaders": lists.loaders,
    "/compare": compare.compare,
    "/notes": lists.notes,
    "/sql": sql.sql,
    "/set": sql.object_set,
}
# Parts of pages, fetched by a script; whoever has none can open them, too.
_PARTS: dict[str, Handler] = {
    "/parts/diagnosis": start.diagnosis_part,
    "/parts/suspects": start.suspects_part,
    "/parts/process": start.process_part,
    "/parts/holders": sets.holders_part,
    "/parts/retained": sets.retained_part,
    "/parts/incoming/{address}": objects.incoming_part,
    "/parts/path/{address}": objects.path_part,
    "/parts/level": tree.level_part,
    "/parts/dominated": tree.dominated_part,
    "/parts/stack/{number:int}": lists.stack_part,
    "/parts/names": sql.names_part,
}


def create_app(session: Session, base: str = "") -> Starlette:
    """The ASGI application; `heapscope.explorer.security.Gate` belongs in front of it.

    Parameters
    ----------
    session : Session
    base : str
        What a proxy puts before every address.
    """
    site = Site(session, base)
    routes: list[Route | Mount] = [Route(path, _page(site, handler)) for path, handler in _PAGES.items()]
    routes += [Route(path, _part(site, handler)) for path, handler in _PARTS.items()]
    routes += [
        Route("/go", _go(site)),
        Route("/notes", _add_note(site), methods=["POST"]),
        Route("/notes/{number:int}/remove", _remove_note(site), methods=["POST"]),
        Route("/jobs/{number:int}/stop", _stop(site), methods=["POST"]),
        Route("/static/report.css", _report_style),
        Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_found(site), 500: _failed})


def _page(site: Site, handler: Handler) -> Callable[[Request], Any]:
    def answer(request: Request) -> Response:
        try:
            return handler(site, request)
        except Wait as wait:
            return site.page(
                request,
                "working.html.j2",
                "One moment",
                wait.dump or site.session.dump(request.query_params.get("dump", "")),
                job=wait.job,
                waiting_for=wait.dump,
            )
        except Problem as problem:
            return _problem_page(site, request, str(problem), problem.status)
        except HeapscopeError as error:
            return _problem_page(site, request, str(error), 400)

    return answer


def _problem_page(site: Site, request: Request, text: str, status: int) -> Response:
    title = {200: "Nothing to show", 404: "Not found"}.get(status, "That did not work")
    return site.page(request, "problem.html.j2", title, None, status=status, text=text)


def _part(site: Site, handler: Handler) -> Callable[[Request], Any]:
    def answer(request: Request) -> Response:
        try:
            return handler(site, request)
        except Wait as wait:
            return site.fragment(
                "waiting_part.html.j2",
                job=wait.job,
                waiting_for=wait.dump,
                here_with_query=site.here(request),
            )
        except (Problem, HeapscopeError) as problem:
            # Status 200: the script puts nothing else into the page.
            return site.fragment("problem_part.html.j2", text=str(problem))

    return answer


def _go(site: Site) -> Callable[[Request], Any]:
    def answer(request: Request) -> Response:
        try:
            return RedirectResponse(objects.go(site, request), 303)
        except Wait as wait:
            return site.page(
                request, "working.html.j2", "One moment", wait.dump, job=None, waiting_for=wait.dump
            )
        except Problem as problem:
            return _problem_page(site, request, str(problem), problem.status)

    return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, which is small.

    Raises
    ------
    HTTPException
        It is not.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(413)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _add_note(site: Site) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        form = await _form(request)
        page = form.get("page", "/")
        if not page.startswith("/") or page.startswith(("//", "/\\")) or len(page) > 2000:
            page = "/"

        def keep() -> Response:
            try:
                dump = site.dump_of(request)
                add_note(dump.path, page, form.get("text", ""), site.session.opening.get("index_dir"))
            except (Problem, Wait, HeapscopeError) as error:
                return _problem_page(site, request, str(error) or "the dump is being read", 400)
            return RedirectResponse(site.url("/notes", dump), 303)

        return await run_in_threadpool(keep)

    return answer


def _remove_note(site: Site) -> Callable[[Request], Any]:
    def answer(request: Request) -> Response:
        try:
            dump = site.dump_of(request)
            remove_note(dump.path, request.path_params["number"], site.session.opening.get("index_dir"))
        except (Problem, Wait, HeapscopeError) as error:
            return _problem_page(site, request, str(error) or "the dump is being read", 400)
        return RedirectResponse(site.url("/notes", dump), 303)

    return answer


def _stop(site: Site) -> Callable[[Request], Any]:
    def answer(request: Request) -> Response:
        site.session.jobs.stop(request.path_params["number"])
        if request.headers.get("hx-request"):
            return site.fragment("problem_part.html.j2", text="Stopped. Load the page again to begin anew.")
        return RedirectResponse(site.url("/"), 303)

    return answer


@cache
def _style() -> str:
    return style_sheet()


def _report_style(request: Request) -> Response:
    return Response(_style(), media_type="text/css", headers={"cache-control": "max-age=3600"})


def _not_found(site: Site) -> Callable[[Request, Exception], Any]:
    def answer(request: Request, error: Exception) -> Response:
        return _problem_page(site, request, "there is no such page", 404)

    return answer


def _failed(request: Request, error: Exception) -> Response:
    text = f"this is a bug, please report it: {type(error).__name__}: {error}\n"
    return PlainTextResponse(text, 500)
