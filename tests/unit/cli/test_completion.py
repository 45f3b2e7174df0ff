"""Completion of commands, options and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.analysis.leak import leak_dump
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
    assert complete("trend", "--no-s", cwd=tmp_path) == ["plain,--no-subclasses"]
    assert complete("completion", "z", cwd=tmp_path) == ["plain,zsh"]
    assert "plain,shallow_bytes" in complete("histogram", "x", "--sort", "sh", cwd=tmp_path)
    for words in (
        ["histogram", "le"],
        ["diff", "a", "le"],
        ["trend", "a", "b", "le"],
        ["report", "a", "-o", "le"],
    ):
        assert complete(*words, cwd=tmp_path) == ["file,le"]


def test_class_names_of_the_dump_on_the_line_complete(run: Run, tmp_path: Path) -> None:
    dump = leak_dump(tmp_path)
    folder = tmp_path / "indexes"
    words = ["retained", "--index-dir", str(folder), str(dump)]
    assert complete(*words, "FileS", cwd=tmp_path) == []  # no index yet, and none is made
    assert not folder.exists()
    assert run("dominators", dump, "--index-dir", folder, "--top", "1").code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 1
    assert complete(*words, "FileS", cwd=tmp_path) == ["plain,FileSystem", "plain,FileSystem\\$Cache"]
    assert "plain,org.apache.hadoop.fs.FileSystem" in complete(*words, "org.apache.hadoop.f", cwd=tmp_path)
    assert complete("objects", "--index-dir", str(folder), str(dump), "FileSystem$", cwd=tmp_path) == [
        "plain,FileSystem\\$Cache"
    ]
    census = ["census", "--index-dir", str(folder), str(dump), "--class", "DistributedF"]
    assert complete(*census, cwd=tmp_path) == ["plain,DistributedFileSystem"]
    with dump.open("ab") as file:
        file.write(b"x")  # another dump now: its names are not known
    assert complete(*words, "FileS", cwd=tmp_path) == []
    assert complete(str(dump), "FileS", cwd=tmp_path) == ["file,FileS"]  # no command is guessed
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_completion_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from heapscope.cli.common.class_names import _class_names; import click;"
        "from pathlib import Path; from heapscope.cli.retained import retained;"
        "_class_names(Path('x'), click.Context(retained));"
        "print([n for n in ('numpy', 'numba', 'rich', 'pandas') if n in sys.modules])"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


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
