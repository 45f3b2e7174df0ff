"""Completion of commands, options and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


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
