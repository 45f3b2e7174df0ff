"""Help, and completion in the shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from heapscope.cli import COMMANDS, cli
from tests.unit.cli.conftest import Run


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def test_help_lists_every_command_with_what_it_does(run: Run) -> None:
    ran = run("--help")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    for name in COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert line.endswith("."), "cut off or without a sentence"
        assert "..." not in line
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: heapscope {name} ")
    assert max(map(len, ran.out.splitlines())) <= 80
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts} has no help"


def test_no_arguments_show_the_help(run: Run) -> None:
    ran = run()
    assert ran.code in (0, 2)  # click 8.1 and later ones differ
    assert (ran.out + ran.err).startswith("Usage: heapscope ")


@pytest.mark.parametrize("name", ["histogram", "census", "diff", "trend"])
def test_every_table_has_the_same_options(name: str) -> None:
    options = {option for parameter in commands()[name].params for option in parameter.opts}
    assert {"--json", "--csv", "--top", "--sort", "--output", "-o", "--force"} <= options


def complete(*words: str, cwd: Path) -> list[str]:
    """What bash offers for the last of the words: kind,value."""
    done = subprocess.run(
        [sys.executable, "-m", "heapscope"],
        env={
            **os.environ,
            "_HEAPSCOPE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["heapscope", *words]),
            "COMP_CWORD": str(len(words)),
            "PYTHONPATH": str(Path(__file__).parents[3]),
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_options_and_files_complete(tmp_path: Path) -> None:
    assert complete("hi", cwd=tmp_path) == ["plain,histogram"]
    assert complete("trend", "--no", cwd=tmp_path) == ["plain,--no-subclasses"]
    assert complete("completion", "z", cwd=tmp_path) == ["plain,zsh"]
    assert "plain,shallow_bytes" in complete("histogram", "x", "--sort", "sh", cwd=tmp_path)
    for words in (
        ["histogram", "le"],
        ["diff", "a", "le"],
        ["trend", "a", "b", "le"],
        ["report", "a", "-o", "le"],
    ):
        assert complete(*words, cwd=tmp_path) == ["file,le"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_valid(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert f"_HEAPSCOPE_COMPLETE={shell}_complete" in ran.out
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=ran.out, text=True, check=True, timeout=60)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_with_the_script(run: Run, tmp_path: Path) -> None:
    script = run("completion", "bash").out
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "heapscope"
    root = Path(__file__).parents[3]
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m heapscope "$@"\n')
    program.chmod(0o755)
    ask = "COMP_WORDS=(heapscope cen)\nCOMP_CWORD=1\n_heapscope_completion heapscope\necho ${COMPREPLY[@]}\n"
    done = subprocess.run(
        ["bash"],
        input=f"{script}\n{ask}",
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["census"]
