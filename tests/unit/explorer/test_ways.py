"""What a page gives to copy, as a command, as Python and as SQL, runs as it stands and answers the same."""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import heapscope
from heapscope.cli import main
from tests.unit.explorer.serving import SAMPLES, Client, serving

EXTRA = "dump=leak-4.hprof.gz"
KEY = "org.apache.hadoop.fs.FileSystem$Cache$Key"
CALLED = f"/classes/{quote(KEY, safe='')}"
QUERY = "SELECT class_name, count(*) AS n\nFROM objects GROUP BY ALL\nORDER BY n DESC, 1 LIMIT 3"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("index")
    with pytest.MonkeyPatch.context() as patch:
        # What is copied has no --index-dir.
        patch.setenv("HEAPSCOPE_INDEX_DIR", str(folder))
        with serving([SAMPLES / "leak-3.hprof.gz", SAMPLES / "leak-4.hprof.gz"]) as found:
            yield found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ways(text: str) -> dict[str, str]:
    """What is to copy, as a browser copies it."""
    found = re.findall(r'<div class="copy"><h3>As (?:a )?(\w+)</h3>.*?<code>(.*?)</code>', text, re.DOTALL)
    return {name: unescape(code) for name, code in found}


def run_command(text: str, *more: str) -> str:
    words = shlex.split(text)
    assert words[0] == "heapscope"
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*words[1:], *more]) == 0, text
    return out.getvalue()


def run_python(text: str) -> Any:
    """The value of the last line, as a notebook shows it."""
    *first, last = ast.parse(text).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(first, []), "copied", "exec"), names)
    found = eval(compile(ast.Expression(last.value), "copied", "eval"), names)
    return found


def run_sql(text: str) -> Any:
    with heapscope.open(SAMPLES / "leak-4.hprof.gz") as heap:
        return heap.sql(text)


def cells(text: str, column: int = 0) -> list[str]:
    """A column of the last table of a page, without marks; numbers without their commas."""
    body = text[text.rindex("<tbody>") : text.rindex("</tbody>")]
    rows = [
        re.findall(r"<td.*?</td>", row, re.DOTALL) for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    ]
    found = [unescape(re.sub(r"<[^>]*>", "", row[column])).strip() for row in rows]
    return [each.replace(",", "") if re.fullmatch(r"[\d,]+", each) else each for each in found]


def addresses(values: Any) -> list[str]:
    return [f"0x{int(each):x}" for each in values]


PAGES = [
    *("/", "/classes", "/classes?by=package", "/classes?by=loader", "/classes?sort=instances&q=Hadoop"),
    *(
        "/classes?q=*$Key",
        CALLED,
        f"{CALLED}?subclasses=yes",
        f"{CALLED}?fields=ugi.subject,scheme",
    ),
    *(f"{CALLED}?where=scheme%3Dhdfs", "/dominators", "/dominators?by=class", "/dominators?by=package"),
    *("/icicle", "/threads", "/roots", "/roots?kind=JNI%20global", "/strings", "/strings?q=KERB_TICKET"),
    *("/strings?q=it%27s%20%22x%22", "/loaders", f"/sql?q={quote(QUERY)}", f"/sql?over=all&q={quote(QUERY)}"),
    *(f"/set?q={quote('SELECT address FROM strings LIMIT 3')}", "/notes", "/objects/0xfd8cf388"),
    *("/compare", "/compare?by=class", "/compare?by=class&before=leak-4.hprof.gz&after=leak-3.hprof.gz"),
]


@pytest.mark.parametrize("path", PAGES)
def test_what_is_to_copy_runs_as_it_stands(client: Client, path: str) -> None:
    found = ways(client.page(f"{path}{'&' if '?' in path else '?'}{EXTRA}").text)
    assert "command" in found
    run_command(found["command"])
    if "Python" in found:
        run_python(found["Python"])
    if "SQL" in found:
        run_sql(found["SQL"])


@pytest.mark.parametrize("path", ["/classes", "/classes?sort=instances&q=Hadoop", "/classes?q=*$Key"])
def test_the_histogram_is_the_same_everywhere(client: Client, path: str) -> None:
    text = client.page(f"{path}{'&' if '?' in path else '?'}{EXTRA}").text
    shown = list(zip(cells(text), map(int, cells(text, 1)), strict=True))
    found = ways(text)
    frame = run_sql(found["SQL"])
    assert list(zip(frame.class_name, frame.instance_count, strict=True))[: len(shown)] == shown
    rows = json.loads(run_command(found["command"], "--json"))["rows"]
    count = "instance_count"
    assert [(row["class_name"], row[count]) for row in rows][: len(shown)] == shown


@pytest.mark.parametrize("path", [CALLED, f"{CALLED}?where=scheme%3Dhdfs", f"{CALLED}?where=unique%3D1"])
def test_instances_are_the_same_everywhere(client: Client, path: str) -> None:
    text = client.page(f"{path}{'&' if '?' in path else '?'}{EXTRA}").text
    found = ways(text)
    shown = [each for each in cells(text) if each.startswith("0x")]
    assert addresses(run_sql(found["SQL"]).address)[:50] == shown
    assert set(addresses(run_python(found["Python"]).object_id)) == set(shown)
    assert len(shown) == (0 if "unique" in path else 50)


def test_roots_and_strings_are_the_same_everywhere(client: Client) -> None:
    text = client.page(f"/roots?kind=JNI%20global&{EXTRA}").text
    frame = run_sql(ways(text)["SQL"])
    shown = [each.rpartition(" ")[2] for each in cells(text)]
    assert addresses(frame.address)[: len(shown)] == shown
    assert [str(each) for each in frame.records][: len(shown)] == cells(text, 1)
    text = client.page(f"/strings?q=KERB_&{EXTRA}").text
    assert set(cells(text)) == set(run_python(ways(text)["Python"]).text)


def test_a_query_of_several_lines_stays_one(client: Client) -> None:
    text = client.page(f"/sql?q={quote(QUERY)}&{EXTRA}").text
    (area,) = re.findall(r"<textarea.*?>(.*?)</textarea>", text, re.DOTALL)
    assert unescape(area).removeprefix("\n") == QUERY  # HTML ignores a line's end at the beginning
    assert list(run_python(ways(text)["Python"]).class_name) == cells(text)
