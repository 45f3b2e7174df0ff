"""The documents: every command that they show runs, and prints what they say it prints.

In ``console`` blocks of the README, ``$ heapscope ...`` is run in a folder that has
``sample_dumps/``.  Lines that follow are compared with what is printed; a line ``...`` stands
for any number of lines.  Commands are run in order, so one may use what an earlier one wrote.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```(?:console|shell-session)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Shown:
    """A command of a document and the output shown below it."""

    command: str
    output: tuple[str, ...]


def shown_in(text: str) -> Iterator[Shown]:
    for block in _BLOCK.findall(text):
        lines = block.splitlines()
        while lines:
            line = lines.pop(0)
            if not line.startswith("$ "):
                continue
            command = line[2:]
            while command.endswith("\\") and lines:
                command = f"{command[:-1].rstrip()} {lines.pop(0).strip()}"
            output = []
            while lines and not lines[0].startswith("$ "):
                output.append(lines.pop(0).rstrip())
            while output and not output[-1]:
                output.pop()
            yield Shown(command, tuple(output))


def is_output(shown: tuple[str, ...], printed: str) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + r"[ ]*\n" for line in shown
    )
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n") is not None


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line through the shell (globs, pipes) with this tree's heapscope."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "heapscope"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m heapscope "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_commands_of_the_readme(tmp_path: Path) -> None:
    commands = [
        shown for shown in shown_in(README.read_text(encoding="utf-8")) if "heapscope " in shown.command
    ]
    assert len(commands) >= 4, "the README shows too few commands, or in other blocks than console"
    (tmp_path / "sample_dumps").symlink_to(ROOT / "sample_dumps")
    for shown in commands:
        done = run(shown.command, tmp_path)
        assert done.returncode == 0, f"$ {shown.command}\n{done.stdout}{done.stderr}"
        if shown.output:
            assert is_output(shown.output, done.stdout), f"$ {shown.command} prints now:\n{done.stdout}"


def test_python_of_the_readme(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= 2
    (tmp_path / "sample_dumps").symlink_to(ROOT / "sample_dumps")
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "sample_dumps/README.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    path = ROOT / name
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_make_targets_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set()
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        if (ROOT / name).exists():
            named |= set(
                re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
            )
    assert {"test", "help"} <= named
    assert named <= targets


def test_the_version_has_its_changes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE), "no version in CHANGELOG.md"


def test_blocks_are_read_as_they_are_written() -> None:
    text = "```console\n$ heapscope a \\\n    b\none\n\n...\nlast\n\n$ heapscope c\n```\n"
    text += "```python\n$ no\n```\n"
    assert list(shown_in(text)) == [
        Shown("heapscope a b", ("one", "", "...", "last")),
        Shown("heapscope c", ()),
    ]
    assert is_output(("one", "", "...", "last"), "one\n\n2\n3\nlast\n")
    assert is_output(("one", "...", "last"), "one  \nlast\n")
    assert not is_output(("one", "...", "last"), "one\n2\n")
    assert not is_output(("one",), "one\n2\n")


def test_a_shown_command_is_really_run(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "golden" / "histograms" / "jcmd-17.txt", tmp_path / "a.txt")
    done = run("heapscope histogram a.txt --top 1 | tail -n 1", tmp_path)
    assert done.stdout == "1 of 225 classes; --top 0 shows all\n"
    assert run("heapscope histogram missing.txt", tmp_path).returncode == 3
