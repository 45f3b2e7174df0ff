"""``%load_ext heapscope`` and ``%heapscope``, in a real IPython shell."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope import notebook_progress
from heapscope.cli.common.answer import TERMINAL_ROWS
from heapscope.cli.magic import split_line
from heapscope.progress import default_progress, notebook_bar
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import FILE_SYSTEM
from tests.unit.reporter.test_render import Page


class Shown(list[Any]):
    """What was displayed, as HTML."""

    @property
    def text(self) -> str:
        return " ".join(Page(html).text for html in self)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        made = interactiveshell.InteractiveShell.instance()
        made.history_manager.enabled = False
        yield made
        made.history_manager.end_session()
        interactiveshell.InteractiveShell.clear_instance()


@pytest.fixture
def shown(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Everything that is displayed, in order."""
    found = Shown()
    monkeypatch.setattr(
        shell.display_pub, "publish", lambda data, *_, **__: found.append(data.get("text/html", ""))
    )
    shell.run_line_magic("load_ext", "heapscope")
    return found


def test_the_extension_is_loaded_and_unloaded_by_its_name(shell: Any, shown: Shown) -> None:
    assert "heapscope" in shell.magics_manager.magics["line"]
    shell.run_line_magic("unload_ext", "heapscope")
    assert "heapscope" not in shell.magics_manager.magics["line"]
    shell.run_line_magic("load_ext", "heapscope")
    assert "heapscope" in shell.magics_manager.magics["line"]


def test_a_table_is_drawn_with_its_totals(shell: Any, shown: Shown, dump: Path) -> None:
    shell.run_cell(f"%heapscope histogram {dump} --top 3")
    (html,) = shown
    text = Page(html).text
    assert "two 2" in text
    assert "class instances shallow bytes" in text
    assert "total" in text
    assert "--top 0 shows all" in text
    assert shell.user_ns["_exit_code"] == 0


def test_patterns_and_variables_are_expanded(shell: Any, shown: Shown, series: list[Path]) -> None:
    shell.user_ns["folder"] = series[0].parent
    shell.run_cell("%heapscope trend {folder}/leak-*.txt --class 'org.apache.*' --class java.lang.String")
    assert "leak-1" in shown.text
    assert "leak-3" in shown.text
    assert "org.apache.* 1,000 → 3,000" in shown.text


def test_suspects_are_cards(shell: Any, shown: Shown, dump: Path) -> None:
    shell.run_cell(f"%heapscope suspects {dump} --share 1 --no-index")
    (html,) = shown
    assert Page(html).named("details")
    assert "leak suspect" in Page(html).text


def test_paths_and_diagnoses_are_cards(shell: Any, shown: Shown, dump: Path) -> None:
    shell.run_cell(f"%heapscope paths {dump} {FILE_SYSTEM} --no-index")
    assert "What holds 2 instances of DistributedFileSystem" in shown.text
    assert "2 x JNI global" in shown.text
    shown.clear()
    shell.run_cell(f"%heapscope diagnose {dump}")
    assert len(shown) == 1
    assert "1 snapshot; looked at: two" in shown.text


def test_other_commands_print_while_they_run(
    shell: Any, shown: Shown, dump: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(f"%heapscope retained {dump} {FILE_SYSTEM} --no-index --json")
    assert '"schema_version": 1' in capsys.readouterr().out
    assert shown == []
    shell.run_cell("%heapscope")
    assert "Usage: heapscope" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "meaning"),
    [
        ("info {missing}", 3, "an error"),
        ("histogramm x", 2, "wrong usage"),
        ("histogram 'x", 2, "No closing quotation"),
    ],
)
def test_exit_codes_are_shown_and_the_kernel_lives(
    shell: Any, shown: Shown, tmp_path: Path, line: str, code: int, meaning: str
) -> None:
    ran = shell.run_cell(f"%heapscope {line.format(missing=tmp_path / 'missing.hprof')}")
    ran.raise_error()
    assert f"exit code {code}" in shown.text
    assert meaning in shown.text
    assert shell.user_ns["_exit_code"] == code


def test_garbage_collection_goes_on_as_it_was(shell: Any, shown: Shown, dump: Path) -> None:
    before = gc.get_threshold()
    shell.run_cell(f"%heapscope info {dump} --json")
    assert gc.get_threshold() == before


def test_words_are_made_as_a_shell_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.hprof", "a.hprof", "two words.txt"):
        (tmp_path / name).touch()
    monkeypatch.setenv("HOME", "/home/someone")
    assert split_line("census *.hprof --class org.apache.*") == [
        "census",
        "a.hprof",
        "b.hprof",
        "--class",
        "org.apache.*",
    ]
    assert split_line("info '*.hprof' \"two words.txt\" ~/x") == [
        "info",
        "*.hprof",
        "two words.txt",
        "/home/someone/x",
    ]
    assert split_line("") == []
    with pytest.raises(ValueError, match="No closing quotation"):
        split_line("info 'x")


def test_in_a_terminal_there_is_no_bar(shell: Any) -> None:
    assert notebook_bar() is None
    default_progress("counting", 1, 2)


class Clock:
    """Time that only passes when told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_long_work_shows_one_bar_that_goes_away(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shows: list[tuple[bool, str]] = []
    monkeypatch.setattr(
        shell.display_pub,
        "publish",
        lambda data, *_, **named: shows.append((bool(named.get("update")), data["text/html"])),
    )
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(notebook_progress, "_bar", None)
    clock = Clock()
    monkeypatch.setattr(notebook_progress, "time", clock)
    bar = notebook_bar()
    assert bar is not None
    assert bar is notebook_bar()
    try:
        bar("counting", 0, 100)
        bar("counting", 100, 100)
        assert shows == []  # too short for anybody to see
        clock.now += 1
        default_progress("<b>reading", 10, 100)
        clock.now += 0.05
        default_progress("<b>reading", 11, 100)  # too soon
        clock.now += 0.3
        default_progress("<b>reading", 50, 100)
        clock.now += 0.3
        default_progress("<b>reading", 100, 100)
        assert [update for update, _ in shows] == [False, True, True]
        assert "10%" in shows[0][1]
        assert "&lt;b&gt;reading" in shows[0][1]
        assert "50%" in shows[1][1]
        assert shows[2][1] == ""
        default_progress("then", 1, 4)
        shell.events.trigger("post_run_cell", None)
        assert shows[-1] == (True, "")
        clock.now += 0.1
        default_progress("another cell", 0, 10)  # a cell of its own waits again
        assert shows[-1] == (True, "")
    finally:
        shell.events.unregister("post_run_cell", bar._end)  # type: ignore[attr-defined]


def test_opening_a_dump_in_a_notebook_tells_the_bar(
    shell: Any, monkeypatch: pytest.MonkeyPatch, dump: Path
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        "heapscope.progress.notebook_bar", lambda: lambda phase, done, total: told.append(phase)
    )
    with heapscope.open(dump):
        assert told


def test_rows_are_taken_as_a_frame(shell: Any, shown: Shown, dump: Path) -> None:
    shell.run_cell(f"df = %heapscope histogram {dump} --top 3", store_history=True)
    frame = shell.user_ns["df"]
    shell.execution_count += 1  # as a notebook counts its cells
    with heapscope.open(dump, use_index=False) as heap:
        assert frame["class_name"].tolist() == heap.histogram().column("class_name")
    # Shown in another cell it is drawn as any DataFrame; in the first the command has drawn it.
    assert "class_name" in frame._repr_html_()
    shown.clear()
    shell.run_cell(f"%heapscope histogram {dump} --top 3", store_history=True)
    assert sum("class_name" in html or "instances" in html for html in shown) == 1


def test_what_is_printed_is_taken_as_a_frame_too(shell: Any, shown: Shown, dump: Path) -> None:
    shell.run_cell(f"threads = %heapscope threads {dump}")
    with heapscope.open(dump, use_index=False) as heap:
        assert len(shell.user_ns["threads"]) == len(heap.threads())
    assert {"name", "retained_bytes", "top_frame"} <= set(shell.user_ns["threads"])
    shell.run_cell(f"checks = %heapscope check {dump} --max '{FILE_SYSTEM}+ <= 1'")
    assert shell.user_ns["_exit_code"] == 1
    assert shell.user_ns["checks"]["outcome"].tolist() == ["failed"]
    shell.run_cell(f"objects = %heapscope objects {dump} {FILE_SYSTEM}")
    assert len(shell.user_ns["objects"]) == 2
    assert "<th>class</th>" in shown[-1].replace(' scope="col"', "")


def test_of_many_objects_the_first_are_drawn_and_all_are_taken(
    shell: Any, shown: Shown, tmp_path: Path
) -> None:
    """As of any other table: a heap has millions of strings."""

    def write(d: DumpBuilder) -> None:
        d.cls("a.Thing", fields={"size": "int"})
        for size in range(40):
            d.root("JNI_GLOBAL", d.instance("a.Thing", size=size))

    path = tmp_path / "many.hprof"
    path.write_bytes(build(write).data)
    shell.run_cell(f"objects = %heapscope objects {path} a.Thing")
    assert len(shell.user_ns["objects"]) == 40
    assert shown[-1].count("<tr") == TERMINAL_ROWS + 1
    assert "30 of 40 objects; --top 0 shows all" in shown.text
    shell.run_cell(f"%heapscope objects {path} a.Thing --top 0")
    assert shown[-1].count("<tr") == 41


def test_a_cell_is_a_query(shell: Any, dump: Path) -> None:
    pytest.importorskip("duckdb")
    query = "SELECT class_name, count(*) AS n\nFROM objects GROUP BY 1"
    result = shell.run_cell(f"%%heapsql {dump}\n{query}")
    with heapscope.open(dump, use_index=False) as heap:
        histogram = {
            row["class_name"]: row["instance_count"]
            for row in heap.histogram().rows()
            if row["instance_count"]
        }
    assert dict(zip(result.result["class_name"], result.result["n"], strict=True)) == histogram
