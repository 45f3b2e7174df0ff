"""``python -m docs._site.links build/site``: every link leads somewhere, and nothing is fetched.

What is read is the HTML as it lies on disk, so generated pages, anchors of headings and files of the
theme are looked at alike.  Links to other hosts are for people to click; a page that would load
something from there by itself is a fault: the site must work on a machine without network.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a browser loads something without being asked.
_LOADED = {
    ("img", "src"),
    ("script", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
}
_FOLLOWED = {("a", "href"), ("area", "href")}
# Relations of <link> that say something and load nothing.
_SAYING = {"canonical", "prev", "next", "alternate"}
_CSS_URL = re.compile(r"(?:url\(|@import\s+(?!url))\s*['\"]?([^'\")\s;]+)")


@dataclass
class Page(HTMLParser):
    """Links, loaded files and anchors of one page."""

    path: Path
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        says = tag == "link" and found.get("rel") in _SAYING
        for name, value in found.items():
            if (tag, name) in _FOLLOWED or ((tag, name) in _LOADED and says):
                self.links.append(value)
            elif (tag, name) in _LOADED:
                self.loaded.append(value)
        if "style" in found:
            self.loaded += _CSS_URL.findall(found["style"])


def problems(site: Path) -> Iterator[str]:
    """One line for each link that leads nowhere and each thing that would be fetched."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no page; build the site first"
    for path, page in pages.items():
        name = path.relative_to(site)
        for link in page.loaded:
            if urlsplit(link).netloc or urlsplit(link).scheme not in ("", "data"):
                yield f"{name}: would be fetched: {link}"
        for link in (*page.links, *page.loaded):
            problem = _problem(link, path, pages, site)
            if problem:
                yield f"{name}: {problem}: {link}"
    for path in sorted(site.rglob("*.css")):
        for link in _CSS_URL.findall(path.read_text(encoding="utf-8")):
            if not link.startswith("data:") and (
                urlsplit(link).netloc or not (path.parent / unquote(urlsplit(link).path)).exists()
            ):
                yield f"{path.relative_to(site)}: would be fetched, or is missing: {link}"


def _problem(link: str, path: Path, pages: dict[Path, Page], site: Path) -> str:
    parts = urlsplit(link)
    if parts.netloc or parts.scheme:
        return "" if parts.scheme in ("https", "data", "mailto") else "neither https nor of this site"
    if parts.path.startswith("/"):
        # 404.html is served for any path and knows only the root.
        target = site / unquote(parts.path).lstrip("/")
        if path.name != "404.html":
            return "is absolute, so it breaks in a folder"
    else:
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        # Material scrolls to the top with it.
        return "" if parts.fragment == "__skip" else "no such anchor"
    return ""


def main() -> int:
    """The program: 0 if all is well, 1 with the problems on stderr."""
    site = Path(sys.argv[1]).resolve()
    found = list(problems(site))
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        print(f"{site}: {len(list(site.rglob('*.html')))} pages, every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
