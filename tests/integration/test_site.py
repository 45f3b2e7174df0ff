"""The site of the documentation: built strictly, every link followed, and read from disk in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heapscope
from docs._site.links import problems
from heapscope.cli.commands import COMMANDS
from tests.integration.test_page_in_browser import browser
from tests.support.browser import complaints, events_until_left, requests
from tests.support.documents import ROOT, options_of

__all__ = ["browser"]  # the fixture


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder
    shutil.rmtree(folder)


def test_every_link_leads_somewhere_and_nothing_is_fetched(site: Path) -> None:
    assert list(problems(site)) == []


def test_the_links_that_are_wrong_are_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        "<h1 id=top>x</h1><a href=sub/>1</a><a href='#top'>2</a><a href=sub/index.html#there>3</a>"
        "<a href=https://example.com>4</a><link rel=stylesheet href=a.css>"
    )
    (tmp_path / "sub" / "index.html").write_text("<p id=there>")
    (tmp_path / "a.css").write_text("p {background: url(data:image/png;base64,AA)}")
    assert list(problems(tmp_path)) == []
    (tmp_path / "sub" / "index.html").write_text(
        "<a href=gone.html>1</a><a href=../index.html#gone>2</a><script src=https://cdn.example.com/x.js></script>"
        "<img src=no.png><a href=/index.html>3</a><a href=http://example.com>4</a>"
        "<p style='background:url(//h/x)'>"
    )
    (tmp_path / "a.css").write_text("@import url(https://fonts.example.com/x); p {background: url(no.png)}")
    assert [line.split(": ", 1)[1] for line in problems(tmp_path)] == [
        "no such anchor: sub/index.html#there",
        "would be fetched: https://cdn.example.com/x.js",
        "would be fetched: //h/x",
        "leads nowhere: gone.html",
        "no such anchor: ../index.html#gone",
        "is absolute, so it breaks in a folder: /index.html",
        "neither https nor of this site: http://example.com",
        "leads nowhere: no.png",
        "neither https nor of this site: //h/x",
        "would be fetched, or is missing: https://fonts.example.com/x",
        "would be fetched, or is missing: no.png",
    ]
    shutil.rmtree(tmp_path / "sub")
    (tmp_path / "index.html").unlink()
    assert "no page" in "".join(problems(tmp_path))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_page_with_every_option(site: Path, name: str) -> None:
    page = (site / "reference" / "commands" / f"{name}.html").read_text(encoding="utf-8")
    for option in options_of(name) - {"--version"}:
        assert option in page
    assert f"heapscope {name}" in page


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    pages = "".join(
        path.read_text(encoding="utf-8") for path in (site / "reference" / "python").glob("*.html")
    )
    missing = [
        name for name in heapscope.__all__ if name != "__version__" and f'id="heapscope.{name}"' not in pages
    ]
    assert missing == []
    # What they are in the docstring is there, too: a parameter, an error, a method of what is returned.
    for text in ("index_dir", "retained_bytes", "TruncatedDump", "allow_sigquit"):
        assert text in pages


@pytest.mark.chromium
def test_pages_and_search_work_from_a_folder_without_network(site: Path, browser: Any) -> None:
    events_until_left(browser)  # those of the browser's own start page
    browser.get((site / "tutorial.html").as_uri() + "?q=dominator")
    script = (
        "const done = arguments[0]; const end = Date.now() + 25000; (function look() {"
        "const found = [...document.querySelectorAll('.md-search-result__link')].map(link => link.href);"
        "if (found.length || Date.now() > end) done(found); else setTimeout(look, 50)})()"
    )
    found = browser.execute_async_script(script)
    assert any("dominators.html" in link for link in found), browser.get_log("browser")
    assert [entry for entry in complaints(browser) if entry["level"] == "SEVERE"] == []
    happened = requests(events_until_left(browser))
    asked = [url for url in happened if not url.startswith(("data:", "blob:", "about:"))]
    assert [url for url in asked if not url.startswith(site.as_uri())] == []
    assert len(asked) > 3
