"""Reports as text and as files."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heapscope.errors import HeapscopeError, OutputExists, OutputFailed
from heapscope.files import put
from heapscope.reporter import render
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.render import (
    chart_names,
    outlook_name,
    output_paths,
    render_html,
    render_json,
    render_markdown,
    write_report,
)
from heapscope.units import format_bytes
from tests.unit.reporter.series import FACTS, PLANTED, series

VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page, in order, and whether tags close as they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.words.append(" ")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open):
            self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def markdown(incident: Incident) -> str:
    return render_markdown(
        incident, chart_names(incident, "report"), "".join(outlook_name(incident, "report"))
    )


def schema() -> dict[str, Any]:
    text = files("heapscope.reporter").joinpath("schema/incident-1.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>|`{{ 7*7 }}\n# boo'


def hostile_incident() -> Incident:
    facts = replace(
        FACTS, environment={HOSTILE: HOSTILE, "PATH": HOSTILE}, system_properties={"os.name": HOSTILE}
    )
    classes = {HOSTILE: ((1, 2, 3), 16), "a." + HOSTILE: ((4, 5, 6), 16)}
    names = [f"{HOSTILE}{i}" for i in range(3)]
    return build_incident(series(classes, facts=facts, names=names), patterns=["*", HOSTILE])


def test_the_page_has_the_verdict_first_and_everything_after() -> None:
    incident = build_incident(series())
    page = Page(render_html(incident))
    headings = [
        incident.headline,
        "What may leak, and what to do",
        "org.apache.hadoop.fs.FileSystem 10 → 160+300 per hour 480 B → 7.68 kB+14.4 kB per hour ▲ grew every",
        "Hint: KERB_TICKET_CACHE_PATH is set",
        "How fast it grows, and until when",
        "What changed",
        "Largest classes 8 classes with instances in the last snapshot",
        "Figures of each snapshot 7 classes and the whole heap, in 4 snapshots each",
        "What the process was",
        "How to read this page",
    ]
    text = page.text[page.text.index(f"{incident.headline} 4") :]  # after the contents
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)


def test_only_the_finding_has_a_large_chart_and_every_class_a_small_line() -> None:
    incident = build_incident(series())
    page = Page(render_html(incident))
    labels = [str(svg["aria-label"]) for svg in page.named("svg") if svg["class"] == "chart"]
    (counts, heap) = labels
    (finding,) = incident.diagnosis.findings
    assert counts.endswith(": 10, 60, 110, 160")
    assert counts.startswith(f"Line chart of {finding.unit[1]} by minutes since")
    assert "the whole heap since" in heap
    small = [svg for svg in page.named("svg") if svg["class"] == "spark"]
    present = [one for one in incident.watched_classes if one.trend != "absent"]
    assert len(small) == len(incident.watched_classes) + 1 > len(present) > 5
    assert len(page.named("polyline")) == len(small)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


PAGES = {
    "leak": lambda: build_incident(series()),
    "histograms": lambda: build_incident(series(facts=None)),
    "one": lambda: build_incident(series({"byte[]": ((5,), 16)}, facts=None)),
    "two": lambda: build_incident(series({"a.B": ((5, 9), 16)})),
    "healthy": lambda: build_incident(series({"a.B": ((5, 9, 5, 8, 5), 16)})),
}


@pytest.mark.parametrize("kind", PAGES)
def test_every_link_of_the_contents_leads_to_a_part_and_every_part_is_in_the_contents(kind: str) -> None:
    text = render_html(PAGES[kind]())
    links = re.findall(r'<li><a href="#([^"]+)">', text)
    assert len(links) == len(set(links)) >= 5
    order = [text.index(f'id="{link}"') for link in links]
    assert order == sorted(order)  # as they are read
    folded = re.findall(r'<div class="inside" id="([^"]+)">', text)
    assert set(folded) <= set(links)
    # What is inside is said beside every heading that is folded.
    said = re.findall(r'<summary><h2>[^<]+</h2> <span class="said">([^<]+)', text)
    assert len(said) == len(folded)
    assert all(words.strip() for words in said)


def test_all_rows_that_changed_are_in_the_page_for_the_filter() -> None:
    classes = {f"app.p{i % 7}.C{i}": ((i, i + 1, i + 9), 16) for i in range(60)}
    classes[HOSTILE] = ((1, 2, 3), 16)
    incident = build_incident(series(classes))
    page = render_html(incident)
    (found,) = re.findall(
        r'<script type="application/json" id="changes-more">(.*?)</script>', page, re.DOTALL
    )
    rows = json.loads(found)
    assert len(incident.changes) == 25
    assert len(rows) == incident.changed_class_count - 25 == 36
    assert {row[0] for row in rows} | {one.class_name for one in incident.changes} == {
        one.class_name for one in (*incident.changes, *incident.more_changes)
    }
    one = next(row for row in rows if row[0].startswith("app."))
    number = int(one[0].rpartition("C")[2])
    before, after = 16 * number, 16 * (number + 9)
    sizes = [[before, format_bytes(before)], [after, format_bytes(after)], [144, "+144 B"]]
    assert one[1:-1] == [number, number + 9, [9, "+9"], *sizes]
    assert one[-1] in ("yes", "perhaps", "no")
    document = json.loads(render_json(incident))
    assert len(document["changes"]) == 25
    assert not {"more_changes", "more_classes"} & set(document)


def test_a_heading_names_the_process_and_not_its_files() -> None:
    incident = build_incident(series())
    page = Page(render_html(incident))
    name = incident.process_name
    assert name == "org.example.Train (3 arguments masked; --show-secrets shows them)".partition(" (")[0] + (
        ", worker 0, on worker-3" if "worker 0" in name else ", on worker-3"
    )
    assert f"Heap report · {name}" in page.text
    headings = re.findall(r"<h[123][^>]*>(.*?)</h[123]>", render_html(incident), re.DOTALL)
    assert len(headings) > 10
    assert not [heading for heading in headings if "train-" in heading]


def test_the_page_asks_nobody_and_runs_only_its_own_script() -> None:
    text = render_html(build_incident(series()))
    page = Page(text)
    assert not [name for name, _ in page.elements if name in ("iframe", "object", "embed", "form", "base")]
    fetched = [
        value
        for name, attributes in page.elements
        for key, value in attributes.items()
        if key in ("src", "srcset", "data", "action", "poster", "background")
        or (key in ("href", "xlink:href") and name != "a" and not str(value).startswith("#"))
    ]
    assert fetched == ["data:,"]  # the icon, so that no browser asks for one
    assert not re.search(r"@import|url\((?!#)", text)
    (policy,) = [meta["content"] for meta in page.named("meta") if "http-equiv" in meta]
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"\beval\b|new Function|innerHTML", script[1])


def test_tables_can_be_read_by_ear() -> None:
    text = render_html(build_incident(series()))
    page = Page(text)
    assert len(page.named("table")) == len(re.findall(r"<caption>", text)) > 5
    assert all(head.get("scope") in ("col", "row") for head in page.named("th"))
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert page.named("html") == [{"lang": "en"}]


@pytest.mark.parametrize("show_secrets", [False, True])
def test_planted_secrets_are_in_no_report_unless_asked_for(show_secrets: bool) -> None:
    incident = build_incident(series(), show_secrets=show_secrets)
    for text in (Page(render_html(incident)).text, markdown(incident), render_json(incident)):
        assert [secret for secret in PLANTED if secret in text] == (list(PLANTED) if show_secrets else [])
        assert "/tmp/krb5cc_1000" in text


def test_what_came_from_a_heap_stays_text() -> None:
    incident = hostile_incident()
    text = render_html(incident)
    page = Page(text)
    assert [script.get("type") for script in page.named("script")].count(None) == 1
    assert {script.get("type") for script in page.named("script")} <= {None, "application/json"}
    assert not page.named("img")
    assert not [
        attributes for _, attributes in page.elements if any(key.startswith("on") for key in attributes)
    ]
    assert "{{ 7*7 }}" in page.text

    text = markdown(incident)
    outside_code = re.sub(r"`[^`\n]*`", "", text)
    assert "<" not in outside_code
    assert "\n# boo" not in text
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    widths = {line.count("|") for line in tables}
    assert widths <= {3, 7}  # two columns, six columns: no bar of the text made a cell

    assert "<script>" in json.loads(render_json(incident))["changes"][0]["class_name"]


def test_one_snapshot_and_histograms_only_render_as_well() -> None:
    one = build_incident(series({"byte[]": ((5,), 16)}, facts=None))
    page = Page(render_html(one))
    assert "Classes, first" not in page.text  # nothing leads: the whole heap, and its largest classes below
    assert "Whole heap 5 80 B" in page.text
    assert "a class histogram does not tell what the process was" in page.text
    assert not page.named("svg")
    assert "| `byte[]` | 5 | 80 B |" in markdown(one)
    jsonschema.validate(json.loads(render_json(one)), schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("incident", [build_incident(series()), hostile_incident()], ids=["leak", "hostile"])
def test_json_is_as_the_schema_says(incident: Incident) -> None:
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema())
    data = json.loads(render_json(incident))
    validator(schema(), format_checker=validator.FORMAT_CHECKER).validate(data)
    assert data["schema_version"] == 1
    assert len(data["watched_classes"][0]["instance_counts"]) == len(data["snapshots"])
    # The schema is closed: it describes every property there is, so that none comes unannounced.
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "surprise": 1}, schema())


def test_markdown_fits_a_ticket_however_much_there_is() -> None:
    classes = {f"app.{'Long' * 100}Name{i}": ((i, i + 1, i + 2), 16) for i in range(300)}
    facts = replace(FACTS, environment={f"HADOOP_{i:04}": "x/" * 5000 for i in range(500)})
    patterns = list(classes)
    incident = build_incident(series(classes, facts=facts), patterns=patterns, top=300)
    text = render_markdown(incident, chart_names(incident, "report"))
    assert len(text) < 65_000
    assert "Shortened to what a ticket takes" in text
    assert "Shortened" not in markdown(build_incident(series()))
    assert text.startswith(f"# {incident.headline}\n")


def test_names_of_pictures() -> None:
    classes = dict.fromkeys(("a.Key", "b.Key", "c.Cache$Key", "d.Ünï", "e.key"), ((1, 2), 16))
    incident = build_incident(series(classes), patterns=[*classes, "a.Key", "absent.Key"])
    assert chart_names(incident, "my report") == {
        "a.Key": "my report-Key.png",
        "b.Key": "my report-Key-2.png",
        "c.Cache$Key": "my report-Cache-Key.png",
        "d.Ünï": "my report-n.png",
        "e.key": "my report-key-3.png",
    }
    assert "](my%20report-Cache-Key.png)" in render_markdown(incident, chart_names(incident, "my report"))


def test_files_are_written_whole_and_for_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        incident = write_report(series(), tmp_path / "build" / "deep" / "report.md")
    finally:
        os.umask(old)
    paths = output_paths(incident, tmp_path / "build" / "deep" / "report.md")
    assert sorted(paths) == sorted((tmp_path / "build" / "deep").iterdir())
    assert [path.name for path in paths] == [
        "report-FileSystem.png",
        "report-UserGroupInformation.png",
        "report-Subject.png",
        "report-FileSystem-Cache-Key.png",
        "report-Configuration.png",
        "report-byte.png",
        "report-outlook.png",
        "report.md",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths[:-1])
    assert paths[-1].read_text("utf-8") == markdown(incident)
    write_report(series(), tmp_path / "r.HTML")
    write_report(series(), tmp_path / "r.json")
    assert (tmp_path / "r.HTML").read_text("utf-8") == render_html(incident)
    assert (tmp_path / "r.json").read_text("utf-8") == render_json(incident)


@pytest.mark.parametrize("name", ["report", "report.txt", "report.html.gz", ".html"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HeapscopeError, match=r"ends in \.html, \.md, \.json or \.pdf"):
        write_report(series(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_outputs_that_exist_are_kept_without_force(tmp_path: Path) -> None:
    picture = tmp_path / "report-Subject.png"
    picture.write_bytes(b"mine")
    with pytest.raises(OutputExists, match=r"report-Subject\.png"):
        write_report(series(), tmp_path / "report.md")
    assert [path.name for path in tmp_path.iterdir()] == ["report-Subject.png"]
    assert picture.read_bytes() == b"mine"
    write_report(series(), tmp_path / "report.md", force=True)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputExists):
        write_report(series(), tmp_path / "report.md")
    (tmp_path / "dangling.html").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExists):
        write_report(series(), tmp_path / "dangling.html")


def test_an_output_that_exists_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("mine")
    monkeypatch.setattr(render, "build_incident", lambda *_, **__: pytest.fail("worked first"))
    with pytest.raises(OutputExists):
        write_report(series(), tmp_path / "report.html")


def test_a_report_never_overwrites_its_dump(tmp_path: Path) -> None:
    dump = tmp_path / "train-1.json"
    dump.write_bytes(b"a dump")
    snapshots = series()
    snapshots._snapshots[0] = replace(snapshots[0], path=dump)
    with pytest.raises(HeapscopeError, match="is one of the snapshots"):
        write_report(snapshots, tmp_path / "x" / ".." / "train-1.json", force=True)
    assert dump.read_bytes() == b"a dump"


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputFailed, match="it is a folder"):
        write_report(series(), tmp_path / "report.html", force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFailed, match="cannot be written"):
        write_report(series(), tmp_path / "file" / "report.html")


@pytest.mark.parametrize("fail_at", [1, 3, 6])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    calls = []

    def failing(source: Any, target: Any, **options: Any) -> None:
        calls.append(target)
        if len(calls) == fail_at:
            raise OSError(28, "No space left on device")
        put(source, target, **options)

    monkeypatch.setattr("heapscope.files.put", failing)
    with pytest.raises(OutputFailed, match="No space left on device"):
        write_report(series(), tmp_path / "report.md")
    assert len(calls) == fail_at
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fail_at", [1, 4])
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    real, calls = os.fdopen, []

    def failing(descriptor: int, mode: str) -> Any:
        calls.append(descriptor)
        if len(calls) == fail_at:
            os.close(descriptor)
            raise OSError(28, "No space left on device")
        return real(descriptor, mode)

    old = tmp_path / "report.md"
    old.write_text("the report of yesterday")
    monkeypatch.setattr(os, "fdopen", failing)
    with pytest.raises(OutputFailed, match="No space left on device"):
        write_report(series(), old, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert old.read_text() == "the report of yesterday"


def test_the_same_input_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib\n"
        "from tests.unit.reporter.series import series\n"
        "from heapscope.reporter.incident import build_incident\n"
        "from heapscope.reporter import render\n"
        "from heapscope.reporter.charts import plots\n"
        "incident = build_incident(series())\n"
        "names = render.chart_names(incident, 'r')\n"
        "texts = [render.render_html(incident), render.render_json(incident),\n"
        "         render.render_markdown(incident, names)]\n"
        "when = plots.timeline(incident.snapshots)\n"
        "parts = [text.encode() for text in texts] + [plots.growth_picture(incident.whole_heap, when)]\n"
        "print([hashlib.sha256(part).hexdigest() for part in parts])\n"
    )
    root = Path(__file__).parents[3]
    said = set()
    for seed, zone, locale in (("0", "UTC", "C.UTF-8"), ("1", "Asia/Tokyo", "de_DE.UTF-8")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": locale,
            "PYTHONPATH": str(root),
        }
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert len(said.pop()) > 4 * 64


def test_no_path_of_the_machine_is_in_a_report() -> None:
    incident = build_incident(series())
    for text in (render_html(incident), render_json(incident), markdown(incident)):
        assert "train-4" in text
        assert "/dumps" not in text
