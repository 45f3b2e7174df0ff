"""The report on paper: all of it, laid out on pages, the same bytes every time, and nothing fetched."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heapscope import extras
from heapscope.errors import HeapscopeError, MissingDependency
from heapscope.reporter import pdf, render
from heapscope.reporter.charts.plots import on_paper
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.pdf import render_pdf
from heapscope.reporter.render import render_paper, write_report
from tests.unit.reporter.series import PLANTED, series

A4 = (595, 842)


@pytest.fixture(scope="module")
def incident() -> Incident:
    return build_incident(series())


@pytest.fixture(scope="module")
def made(incident: Incident) -> bytes:
    return render_pdf(render_paper(incident))


@pytest.fixture(scope="module")
def document(made: bytes) -> Any:
    import pypdf

    return pypdf.PdfReader(io.BytesIO(made))


def words(document: Any) -> str:
    text = " ".join(page.extract_text() for page in document.pages)
    return " ".join(text.replace("\u200b", "").split())


@pytest.mark.pdf
def test_the_pages_have_all_that_the_page_has(document: Any, incident: Incident) -> None:
    text = words(document)
    for heading in (
        incident.headline,
        "Hint: KERB_TICKET_CACHE_PATH is set",
        "What changed",
        "What the process was",
        "How to read this page",
    ):
        assert heading in text
    assert [secret for secret in PLANTED if secret in text] == []
    assert "/tmp/krb5cc_1000" in text  # what matters is open on paper; what is not says so
    assert text.count("left out on paper; the page (.html) has it") == 4
    assert "Hover" not in text


@pytest.mark.pdf
def test_pages_are_numbered_a4_with_bookmarks_and_the_datas_date(document: Any, incident: Incident) -> None:
    count = len(document.pages)
    assert 2 <= count <= 8
    for number, page in enumerate(document.pages, 1):
        assert (round(page.mediabox.width), round(page.mediabox.height)) == A4
        assert f"{number} of {count}" in page.extract_text()
    titles = [entry.title for entry in document.outline if not isinstance(entry, list)]
    assert titles == [incident.headline]
    captured = incident.snapshots[-1].captured_at
    assert document.metadata.creation_date.strftime("%Y-%m-%dT%H:%M:%S") == captured[:19]
    fonts = {
        str(font["/BaseFont"]) for page in document.pages for font in page["/Resources"]["/Font"].values()
    }
    assert fonts
    assert all("DejaVu" in font for font in fonts)


@pytest.mark.pdf
def test_charts_are_drawn_not_pasted(document: Any) -> None:
    # A page of pictures would have images; curves are paths in the colours of paper.
    assert not [image for page in document.pages for image in page.images]
    content = b"".join(page.get_contents().get_data() for page in document.pages)
    assert b"0 0.447059 0.698039 RG" in content  # Okabe and Ito's blue, "#0072B2"


@pytest.mark.pdf
def test_text_that_does_not_fit_stays_on_the_page(incident: Incident) -> None:
    import pypdf

    long = "app." + "Very" * 60 + "LongName"
    grown = replace(incident.watched_classes[0], class_name=long)
    one = replace(incident, watched_classes=(grown,), changes=(), process=None, headline="x " * 400)
    found = words(pypdf.PdfReader(io.BytesIO(render_pdf(render_paper(one)))))
    assert long in found.replace(" ", "")


@pytest.mark.pdf
def test_a_class_path_is_wrapped(incident: Incident) -> None:
    import pypdf

    jars = ":".join(f"/opt/application/lib/some-library-with-a-name-{number}.jar" for number in range(40))
    assert incident.process is not None
    process = replace(incident.process, environment={"CLASSPATH": jars})
    paper = pypdf.PdfReader(io.BytesIO(render_pdf(render_paper(replace(incident, process=process)))))
    lines = [line for page in paper.pages for line in page.extract_text().splitlines() if ".jar" in line]
    assert len(lines) > 10
    assert max(map(len, lines)) < 100  # of 7.6 pt, in two thirds of a page
    assert jars in words(paper).replace(" ", "")


@pytest.mark.pdf
def test_the_same_input_gives_the_same_bytes_in_every_process(made: bytes) -> None:
    program = (
        "import hashlib\n"
        "from tests.unit.reporter.series import series\n"
        "from heapscope.reporter.incident import build_incident\n"
        "from heapscope.reporter.pdf import render_pdf\n"
        "from heapscope.reporter.render import render_paper\n"
        "print(hashlib.sha256(render_pdf(render_paper(build_incident(series())))).hexdigest())\n"
    )
    root = str(Path(__file__).parents[3])
    other = {**os.environ, "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "PYTHONPATH": root}
    run = subprocess.run(
        [sys.executable, "-c", program], env=other, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert run.stdout.strip() == hashlib.sha256(made).hexdigest()


def test_nothing_is_fetched_but_our_fonts() -> None:
    for url in (
        "http://127.0.0.1:9/x.png",
        "file:///etc/passwd",
        "heapscope-font:../../etc/passwd",
        "heapscope-font:missing.ttf",
    ):
        with pytest.raises(ValueError, match="fetches nothing"):
            pdf._fetch(url)


@pytest.mark.pdf
def test_our_fonts_are_fetched() -> None:
    answer = pdf._fetch("heapscope-font:DejaVuSans.ttf")
    assert answer.read(4) == b"\x00\x01\x00\x00"


def test_the_paper_has_no_script_and_no_variable_in_its_charts(incident: Incident) -> None:
    page = render_paper(incident)
    assert "<script" not in page
    assert "var(" not in "".join(part.partition("</svg>")[0] for part in page.split("<svg ")[1:])


def test_what_holds_a_leak_is_drawn_in_colours_of_paper() -> None:
    picture = (
        '<svg class="icicle" viewBox="0 0 9 9"><g class="root"><title>GC roots</title><rect x="1"/>'
        '<text x="1">a</text></g>'
        '<g class="member"><title>2 x &lt;rect </title><rect x="2"/></g></svg>'
    )
    drawn = on_paper(picture)
    assert '<rect fill="#d9dee3" fill-opacity="1" x="1"/>' in drawn
    assert '<rect fill="#D55E00" fill-opacity="0.32" x="2"/>' in drawn
    assert '<text font-family="DejaVu Sans Mono" font-size="11.8" fill="#1f2328" x="1">' in drawn
    assert "&lt;rect </title>" in drawn


def test_without_weasyprint_the_pip_line_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def importing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", importing)
    monkeypatch.setattr(render, "build_incident", lambda *_, **__: pytest.fail("worked first"))
    with pytest.raises(MissingDependency, match=r"pip install 'weasyprint>="):
        write_report(series(), tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


def test_without_pango_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def importing(name: str) -> Any:
        raise OSError("cannot load library 'libpango-1.0-0'\nAdditionally ...")

    monkeypatch.setattr(extras, "import_module", importing)
    with pytest.raises(HeapscopeError, match=r"cannot load library 'libpango-1\.0-0'; .*apt-get install"):
        extras.weasyprint()


@pytest.mark.pdf
def test_a_report_too_large_for_pages_is_refused(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_MAX_PAGE_BYTES", 10_000)
    with pytest.raises(HeapscopeError, match=r"too much for pages; write \.html"):
        render_pdf(render_paper(incident))


@pytest.mark.pdf
def test_the_file_is_written_whole(tmp_path: Path, made: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "render_pdf", lambda _: made)
    write_report(series(), tmp_path / "report.PDF")
    assert [path.name for path in tmp_path.iterdir()] == ["report.PDF"]
    assert (tmp_path / "report.PDF").read_bytes() == made
    assert made.startswith(b"%PDF-")
