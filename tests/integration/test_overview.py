"""Several processes side by side: one page for all, one for each."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.errors import OutputExists
from heapscope.reporter.overview import headline, write_overview

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
LEAK = [SAMPLES / "leak-1.hprof.gz", SAMPLES / "leak-4.hprof.gz"]
HEALTHY = sorted(SAMPLES.glob("healthy-*.hprof.gz"))


def text_of(page: str) -> str:
    without = re.sub(r"<(style|script|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", without.replace("<wbr>", ""))).split())


def test_processes_side_by_side(tmp_path: Path) -> None:
    found = heapscope.snapshots([*LEAK, *HEALTHY])
    pages = write_overview(found, tmp_path / "all.html")
    assert headline(pages) == ("leak", "1 of 2 processes leaks")
    assert [page.label for page in pages] == ["leak-1 to leak-4", "healthy-1 to healthy-2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all-1.html", "all-2.html", "all.html"]
    page = (tmp_path / "all.html").read_text("utf-8")
    text = text_of(page)
    for words in (
        "1 of 2 processes leaks",
        "leak-1 to leak-4 Leak found: Every HDFS connect logs in anew",
        "50 Hadoop file systems, 3.55 MB together, 39% of all that is in use; 71.1 kB each",
        "6.33 MB → 9.79 MB +608 MB per hour",
        "healthy-1 to healthy-2 Two snapshots are too few to tell whether something grows",
        "6.03 MB → 6.03 MB",
    ):
        assert words in text
    assert page.count('href="all-1.html"') == 2
    # Named by what runs in them, the files below; their heaps on one scale.
    assert [one.heading for one in pages] == ["worker 0, of user trainer"] * 2
    assert text.count("worker 0, of user trainer") == 4
    charts = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    scales = [re.findall(r">(\d+ (?:MB|B))</text>", chart) for chart in charts]
    assert len(scales) == 2
    assert scales[0] == scales[1] == ["0 B", "5 MB", "10 MB"]
    assert not re.search(r'(?:src|href)="(?!all-\d\.html"|data:|#)', page)  # it asks nobody for anything
    assert "KERB_TICKET_CACHE_PATH" in (tmp_path / "all-1.html").read_text("utf-8")
    with pytest.raises(OutputExists):
        write_overview(found, tmp_path / "all.html")


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "all.html"
    assert main(["report", str(LEAK[0]), str(HEALTHY[0]), "-o", str(output)]) == 0
    assert capsys.readouterr().out.startswith("1 of 2 processes leaks\nleak-1: Leak found: Every HDFS")
    assert main(["diagnose", str(LEAK[0]), str(HEALTHY[0])]) == 0
    out = capsys.readouterr().out
    assert out.index("Leak found: ") < out.index("-" * 80) < out.index("No known leak found")
