"""The help of every command."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from heapscope.cli import cli
from heapscope.cli.commands import COMMANDS, EXAMPLES, FIRST_STEPS, GROUPS
from tests.unit.cli.conftest import Run


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def test_help_groups_every_command_with_what_it_does(run: Run) -> None:
    ran = run("--help")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    places = [lines.index(f"{title}:") for title in GROUPS]
    assert places == sorted(places)
    for (title, group), place in zip(GROUPS.items(), places, strict=True):
        below = lines[place + 1 : place + 1 + len(group)]
        assert [line.split()[0] for line in below] == list(group), title
    for name in COMMANDS:
        (line,) = [line for line in lines[places[0] :] if line.startswith(f"  {name} ")]
        assert line.endswith("."), "cut off or without a sentence"
        assert "..." not in line
    assert max(map(len, lines)) <= 80


def test_five_examples_stand_on_top_and_are_right(run: Run) -> None:
    text = run("--help").out
    assert len(EXAMPLES) == 5
    for example, _ in (*EXAMPLES, *((command, "") for _, command in FIRST_STEPS)):
        _, name, *words = example.split()
        command = commands()[name]
        command.make_context(name, [word for word in words if word != "PID"] + ["4711"] * ("PID" in words))
    assert all(example in text.partition("Options:")[0] for example, _ in EXAMPLES)


def test_help_imports_no_command_and_nothing_heavy() -> None:
    """What makes it fast: 0.1 s, most of them Python's own."""
    code = (
        "import sys; from heapscope.cli import main; main(['--help']);"
        "print([n for n in sys.modules if n.split('.')[0] in "
        "('numpy', 'numba', 'rich', 'pandas', 'matplotlib', 'jinja2')"
        " or n.startswith(('heapscope.cli.', 'heapscope.heap', 'heapscope.parser', 'heapscope.analysis'))])"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    assert set(loaded) <= {
        "heapscope.cli.commands",
        "heapscope.cli.common",
        "heapscope.cli.common.blas_threads",
        "heapscope.cli.common.exit_codes",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: heapscope {name} ")
    assert max(map(len, ran.out.splitlines())) <= 80
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts} has no help"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])
def test_every_command_has_an_example_that_is_right(run: Run, name: str) -> None:
    before, _, _ = run(name, "--help").out.replace("\\\n", "").partition("Options:")
    examples = [line.strip() for line in before.splitlines() if line.startswith(f"  heapscope {name}")]
    assert examples
    for example in examples:
        commands()[name].make_context(name, shlex.split(example)[2:])


def test_no_arguments_say_what_to_do_first(run: Run) -> None:
    ran = run()
    assert (ran.code, ran.err) == (0, "")
    assert all(command in ran.out for _, command in FIRST_STEPS)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_files_without_a_command_get_the_one_that_fits(
    run: Run, dump: Path, series: list[Path], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    log.write_text("java.lang.OutOfMemoryError: Java heap space\n")
    for files, command in (
        ([dump], "diagnose"),
        ([*series, dump], "diagnose"),
        (series, "diagnose"),
        (series[:1], "histogram"),
        ([log], "explain-log"),
    ):
        guessed = run(*files, "--json")
        assert guessed.err == f"heapscope: no command is named; this is: heapscope {command} " + " ".join(
            [*map(str, files), "--json\n"]
        )
        assert guessed.out == run(command, *files, "--json").out
        assert guessed.out


def test_files_that_no_one_command_reads_are_no_guess(run: Run, dump: Path, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("java.lang.OutOfMemoryError: Java heap space\n")
    ran = run(dump, log)
    assert (ran.code, ran.out) == (2, "")
    assert "heap dumps, texts" in ran.err
    samples = tmp_path / "watch.csv"
    samples.write_text("captured_at,host,pid,rss_bytes\n")
    ran = run(samples)
    assert (ran.code, ran.out) == (2, "")
    assert f"heapscope plot {samples}" in ran.err
    assert not list(tmp_path.glob("*.png"))
    assert "No such file" in run(tmp_path / "none.hprof").err
    verdict = tmp_path / "w.1.verdict.json"
    verdict.write_text('{\n  "schema_version": 1,\n  "kind": "verdict",\n  "name": "w.1"\n}')
    for asked in (run(verdict), run("diagnose", verdict)):
        assert (asked.code, asked.out) == (3, "")
        assert f"name the class histogram that was taken with it: {tmp_path}/w.1.histogram.txt" in asked.err
    page = tmp_path / "worker.hprof"
    page.write_text("<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n")
    ran = run(page)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert ran.err.startswith(f"heapscope: {page}: a web page")
    assert "download it again" in ran.err
    assert "heap dumps, web pages" in run(dump, page).err
    broken = tmp_path / "broken.hprof"
    broken.write_bytes(b"\0" * 100)
    ran = run(broken)
    assert (ran.code, ran.out) == (3, "")
    assert str(broken) in ran.err.splitlines()[-1]


def test_a_guess_waits_for_no_pipe_and_prints_no_control_characters(
    run: Run, dump: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pi\x1bpe"
    os.mkfifo(pipe)
    ran = run(pipe)
    assert (ran.code, ran.out) == (3, "")
    assert "no regular file" in ran.err
    assert "\x1b" not in ran.err
    for command in ("diagnose", "histogram"):
        assert "no regular file" in run(command, pipe).err
    assert "'-m'" in run(dump, "-m", "x" * 300).err  # a text too long for a name is no file


@pytest.mark.parametrize("name", ["histogram", "census", "diff", "trend"])
def test_every_table_has_the_same_options(name: str) -> None:
    options = {option for parameter in commands()[name].params for option in parameter.opts}
    assert {"--json", "--csv", "--top", "--sort", "--output", "-o", "--force"} <= options
