"""Bad input and bad output: one line that helps, the right exit code, nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.cli import main
from heapscope.cli.common.answer import Choice
from tests.unit.cli.conftest import Ran, Run, histogram_text

COMMANDS = ["histogram", "census", "info", "report"]


def arguments(command: str, path: Path) -> list[str | Path]:
    output: list[str | Path] = ["-o", path.parent / "page.html"] if command == "report" else []
    return [command, path, *output]


def assert_one_line(ran: Ran, path: Path) -> None:
    """Exit 3, one line on stderr that names the file, nothing on stdout."""
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"heapscope: {path}: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")
    assert "Traceback" not in ran.err


def not_a_dump(path: Path, dump: bytes) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))


def empty(path: Path, dump: bytes) -> None:
    path.write_bytes(b"")


def directory(path: Path, dump: bytes) -> None:
    path.mkdir()


def missing(path: Path, dump: bytes) -> None:
    pass


def only_a_header(path: Path, dump: bytes) -> None:
    path.write_bytes(dump[:20])


def cut_short(path: Path, dump: bytes) -> None:
    path.write_bytes(dump[: len(dump) * 2 // 3])


def cut_short_gzip(path: Path, dump: bytes) -> None:
    packed = gzip.compress(dump)
    path.write_bytes(packed[: len(packed) * 2 // 3])


def broken_histogram_line(path: Path, dump: bytes) -> None:
    text = histogram_text([("a.A", 1, 16), ("a.B", 2, 32)])
    path.write_text(text.replace("2             32", "2             3z"), encoding="utf-8")


def unknown_sub_tag(path: Path, dump: bytes) -> None:
    # JAVA PROFILE 1.0.2, 8-byte identifiers, one HEAP_DUMP_SEGMENT that begins with sub-tag 0x77.
    header = b"JAVA PROFILE 1.0.2\0" + (8).to_bytes(4, "big") + bytes(8)
    body = b"\x77" + bytes(20)
    path.write_bytes(header + b"\x1c" + bytes(4) + len(body).to_bytes(4, "big") + body + b"\x2c" + bytes(8))


BAD: dict[str, tuple[Any, str]] = {
    "not a dump": (not_a_dump, ""),
    "empty": (empty, "empty"),
    "directory": (directory, "directory"),
    "missing": (missing, "No such file"),
    "only a header": (only_a_header, r"byte [\d,]+"),
    "cut short": (cut_short, r"byte [\d,]+"),
    "cut short gzip": (cut_short_gzip, r"byte [\d,]+"),
    "broken histogram line": (broken_histogram_line, r"line 4, byte [\d,]+"),
    "unknown sub-tag": (unknown_sub_tag, r"byte 40: .*0x77"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, dump: Path, command: str, name: str) -> None:
    make, says = BAD[name]
    path = tmp_path / "bad"
    make(path, dump.read_bytes())
    before = set(tmp_path.iterdir())
    ran = run(*arguments(command, path))
    assert_one_line(ran, path)
    assert re.search(says, ran.err)
    assert set(tmp_path.iterdir()) == before, "something was left behind"


def test_no_permission(run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump.chmod(0)
    if os.access(dump, os.R_OK):  # root may read everything: let the system say no
        real = os.open

        def refuse(path: Any, *rest: Any, **named: Any) -> int:
            if os.fspath(path) == str(dump):
                raise PermissionError(13, "Permission denied", str(dump))
            return real(path, *rest, **named)

        monkeypatch.setattr(os, "open", refuse)
    ran = run("histogram", dump)
    assert_one_line(ran, dump)
    assert "Permission denied" in ran.err


def test_an_error_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    ran = run("histogram", tmp_path / "\x1b[31mred\n")
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert ran.err.rstrip("\n").isprintable()


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.txt"])
def test_a_table_is_not_overwritten_unasked(run: Run, series: list[Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("precious")
    assert_one_line(run("histogram", series[0], "-o", path), path)
    assert path.read_text() == "precious"
    assert run("histogram", series[0], "-o", path, "--force").code == 0
    assert "java.lang.String" in path.read_text()


@pytest.mark.parametrize("name", ["x.html", "x.md", "x.json"])
def test_a_report_is_not_overwritten_unasked(run: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("precious")
    # Refused before the dump is even opened: it does not exist.
    assert_one_line(run("report", tmp_path / "missing", "-o", path), path)
    assert path.read_text() == "precious"


def test_an_output_that_cannot_be_written(run: Run, series: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "x.csv"
    assert_one_line(run("histogram", series[0], "-o", path), path)


def test_a_failed_write_leaves_nothing(
    run: Run, series: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    before = set(tmp_path.iterdir())
    assert_one_line(run("histogram", series[0], "-o", tmp_path / "x.csv"), tmp_path / "x.csv")
    assert set(tmp_path.iterdir()) == before


def test_an_output_that_another_process_wrote_meanwhile(
    run: Run, series: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    monkeypatch.setattr(Choice, "check", lambda self: path.write_text("theirs"))
    assert_one_line(run("histogram", series[0], "-o", path), path)
    assert path.read_text() == "theirs"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["histgram"], "Did you mean 'histogram'"),
        (["histogram"], "Missing argument 'DUMP'"),
        (["diff", "a"], "diff compares 2 dumps, 1 given"),
        (["histogram", "a", "--json", "--csv"], "exclude each other"),
        (["histogram", "a", "--top", "-1"], "below 0"),
        (["histogram", "a", "--sort", "colour"], "no column of this table: instances, shallow bytes, class"),
        (["trend", "a", "b", "--no-subclasses"], "needs --class"),
        (["report", "a"], "Missing option"),
        (["report", "a", "-o", "x.docx"], ".html, .md, .json, .pdf"),
        (["completion", "tcsh"], "fish"),
        (["--colour"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_2(run: Run, words: list[str], says: str) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


@pytest.mark.parametrize("command", ["diff", "trend"])
def test_one_snapshot_cannot_be_compared(run: Run, series: list[Path], command: str) -> None:
    if command == "diff":
        assert run("diff", series[0], series[0]).code == 0  # nothing changed, and that is an answer
        return
    ran = run("trend", series[0])
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1


def test_interrupted(run: Run, series: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("heapscope.analysis.growth.snapshot.read_snapshot", interrupt)
    assert run("histogram", series[0]) == Ran(130, "", "heapscope: interrupted\n")


def test_a_bug_keeps_its_traceback(run: Run, series: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapscope.analysis.growth.snapshot.read_snapshot", lambda *_, **__: 1 // 0)
    ran = run("histogram", series[0])
    assert (ran.code, ran.out) == (70, "")
    assert "ZeroDivisionError" in ran.err
    assert "report it" in ran.err.splitlines()[-1]


def heapscope_process(*words: str | Path, unbuffered: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "heapscope", *map(str, words)]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, env=environment, **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, unbuffered: str) -> None:
    path = tmp_path / "many.txt"
    path.write_text(histogram_text([(f"a.Class{i}", 1, 16) for i in range(20_000)]))
    read, write = os.pipe()
    process = heapscope_process("histogram", path, stdout=write, unbuffered=unbuffered)
    os.close(write)
    assert os.read(read, 4) == b"many"
    os.close(read)
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_line(series: list[Path], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        process = heapscope_process("histogram", series[0], stdout=full, unbuffered=unbuffered)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    # What could not be written stays in the buffer, where there is one: that tells which file it was.
    assert err == f"heapscope: {'' if unbuffered else 'standard output: '}No space left on device\n"


def test_ctrl_c_ends_a_process_with_one_line() -> None:
    program = (
        "import sys, heapscope.cli as c\n"
        "def wait(*_):\n    print('up', flush=True)\n    import time; time.sleep(60)\n"
        "c._run = wait\n"
        "sys.exit(c.main([]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background ignores Ctrl-C for all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "heapscope: interrupted\n")


def test_main_returns_and_does_not_exit(series: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"heapscope {heapscope.__version__}\n"


def test_one_snapshot_of_each_process_is_no_series(run: Run, series: list[Path]) -> None:
    for place, path in enumerate(series[:2]):
        facts = {"host": "h", "process": {"pid": 10 + place, "start_ticks": 1}}
        path.with_name(path.name + ".json").write_text(json.dumps(facts))
    for command in ("trend", "growth"):
        ran = run(command, *series[:2])
        assert ran.code == 3
        assert "process 10 on h" in ran.err
        assert "--force-series" in ran.err


@pytest.mark.parametrize("words", [["suspects"], ["inspect", "0x10"], ["paths", "a.B"], ["retained", "a.B"]])
def test_a_class_histogram_is_named_where_a_dump_is_needed(
    run: Run, series: list[Path], words: list[str]
) -> None:
    ran = run(words[0], series[0], *words[1:])
    assert (ran.code, ran.out) == (3, "")
    assert "class histogram" in ran.err
    assert "heap_dump" in ran.err


def test_a_pattern_that_names_nothing_is_an_error(run: Run, series: list[Path]) -> None:
    for command in ("census", "trend"):
        ran = run(command, *series, "--class", "distributedfilesystem")
        assert ran.code == 3
        assert "org.apache.hadoop.hdfs.DistributedFileSystem" in ran.err
        assert run(command, *series, "--class", "distributedfilesystem", "--allow-absent").code == 0
    assert run("check", *series, "--against", *series, "--class", "a.Typo").code == 3
    assert run("check", *series, "--max", "DistributedFileSystm <= 1").code == 3
    assert run("check", *series, "--max", "DistributedFileSystm <= 1", "--allow-absent").code == 0


def test_a_cut_text_passes_no_guard_and_says_so_everywhere(run: Run, series: list[Path]) -> None:
    for path in series:
        path.write_text(path.read_text().rpartition("Total")[0])
    ran = run("check", series[0], "--max", "a.Absent <= 1")
    assert (ran.code, "Total" in ran.err) == (3, True)
    for words in (["histogram", series[0]], ["census", *series], ["trend", *series], ["diff", *series[:2]]):
        assert "incomplete" in run(*words).out
        assert run(*words, "--json").out.count('"incomplete": true') == len(words) - 1
        assert "is_complete" in run(*words, "--csv").out.splitlines()[0]


def test_where_a_process_is_missing_the_message_says_how_to_name_one(run: Run, tmp_path: Path) -> None:
    ran = run("collect", "-o", tmp_path / "d")
    assert ran.code == 2
    assert "heapscope ps" in ran.err


def test_plot_says_what_draws_snapshots(run: Run, series: list[Path]) -> None:
    ran = run("plot", series[0])
    assert ran.code == 3
    assert "heapscope report" in ran.err


CLOSED = """
import os, sys
from heapscope.cli import main
codes = [main(["--version"]), main(["no-such-command"])]
with open(sys.argv[1], "w") as file:
    print(file.fileno() > 2, *(os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)), *codes, file=file)
"""


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "<&- >&-"])
def test_closed_standard_files_lead_nowhere(tmp_path: Path, closed: str) -> None:
    """As a service manager may start a program: what it opens next must not get what is printed."""
    words = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", CLOSED, str(tmp_path / "seen")]
    done = subprocess.run(words, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == 0
    assert (tmp_path / "seen").read_text() == "True /dev/null /dev/null /dev/null 0 2\n"
