"""A finished page as PDF: pages that print well, by WeasyPrint, without a browser.

The page comes from `heapscope.reporter.render.render_paper`, with a style sheet of its own
(``templates/paper.css``).  The same page gives the same bytes: letters are DejaVu's, which matplotlib brings
along, dates are those of the page, and the document's identifier is a hash of it.  Nothing is fetched,
whatever the page says.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from heapscope import extras
from heapscope.errors import HeapscopeError
from heapscope.units import format_bytes

_FACES = (
    ("DejaVu Sans", "normal normal", "DejaVuSans.ttf"),
    ("DejaVu Sans", "normal bold", "DejaVuSans-Bold.ttf"),
    ("DejaVu Sans", "italic normal", "DejaVuSans-Oblique.ttf"),
    ("DejaVu Sans Mono", "normal normal", "DejaVuSansMono.ttf"),
    ("DejaVu Sans Mono", "normal bold", "DejaVuSansMono-Bold.ttf"),
)
_FONT_SCHEME = "heapscope-font:"
# A dump may have a hundred thousand variables; a page with more text than this is refused.
_MAX_PAGE_BYTES = 8_000_000


def render_pdf(page: str) -> bytes:
    """A page as PDF, with bookmarks, page numbers and text that can be searched.

    Parameters
    ----------
    page : str
        HTML with the rules of `font_faces` in it.

    Raises
    ------
    MissingDependency, HeapscopeError
        As `heapscope.extras.weasyprint`; or the page is too large to be laid out.
    """
    library = extras.weasyprint()
    fonts = library.text.fonts.FontConfiguration()

    if len(page) > _MAX_PAGE_BYTES:
        raise HeapscopeError(
            f"this report has {format_bytes(len(page))} of text, which is too much for pages; "
            "write .html, or .md, which is cut to what a ticket takes"
        )
    identifier = hashlib.sha256(page.encode()).digest()[:16]
    with _quiet():
        document = library.HTML(string=page, url_fetcher=_fetch, base_url=None)
        made: bytes = document.write_pdf(pdf_identifier=identifier, font_config=fonts)
    return made


def font_faces() -> str:
    """CSS rules that say where the letters of a page come from."""
    return "\n".join(
        f'@font-face {{ font-family: "{family}"; font-style: {look.split()[0]}; '
        f'font-weight: {look.split()[1]}; src: url("{_FONT_SCHEME}{file}"); }}'
        for family, look, file in _FACES
    )


def _fetch(url: str, *_: object, **__: object) -> Any:
    """Our fonts; every other address is refused."""
    name = url.removeprefix(_FONT_SCHEME)
    if name == url or name not in {file for _, _, file in _FACES}:
        raise ValueError("a report fetches nothing")
    return extras.weasyprint().urls.URLFetcherResponse(url, _font(name), {"Content-Type": "font/ttf"})


@cache
def _font(name: str) -> bytes:
    import matplotlib as mpl

    return Path(mpl.get_data_path(), "fonts", "ttf", name).read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence WeasyPrint, which warns on stderr of each SVG property that is no CSS."""
    loggers = [logging.getLogger(name) for name in ("weasyprint", "fontTools")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
