"""What the documents show: blocks of code, commands with their output, options in prose; and how to run it.

README.md and every page of docs/ are read alike.  What a block is says its language:

- ``console``: lines ``$ heapscope ...`` are run in order, in a folder of the page's own that has
  ``sample_dumps/``, and what follows is compared with what is printed; a line ``...`` stands for any
  number of lines.  A page that shows a command for running processes is run on a real one (`is_live`).
- ``python``: is run, all blocks of a page in one namespace; what is about this very process
  (``collect_self``) in one that hosts a JVM.
- a block with ``title="name"`` is a file that the page's commands find in that folder.
- anything else (``sh``, ``ini``, ``yaml``, ``text`` ...) cannot be run here, it needs clusters or init
  systems: each heapscope command in it is parsed by the command itself.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from heapscope.cli import PROGRAM, cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LIVE_COMMANDS = ("ps", "watch", "collect")

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<more>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_OPERATORS = set("();<>|&")
# Run, and not called: followed by a command or an option, not by the end of a line or by itself.
_CALL = re.compile(rf"(?<![\w.-]){PROGRAM} +(?!{PROGRAM}\b)(\S.*)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it begins on, the name of the file that it shows."""

    language: str
    text: str
    line: int
    title: str = ""


@dataclass(frozen=True)
class Shown:
    """A command of a document and the output shown below it."""

    command: str
    output: tuple[str, ...]


def name_of(page: Path) -> str:
    """A page's path in the tree."""
    return str(page.relative_to(ROOT))


def blocks_in(text: str) -> Iterator[Block]:
    """Every fenced block, without its indentation."""
    for match in _BLOCK.finditer(text):
        indent = len(match["indent"])
        lines = [line[indent:] for line in match["text"].splitlines()]
        text_of_block = "".join(f"{line}\n" for line in lines)
        title = re.search(r'title="([\w.-]+)"', match["more"])
        line = text.count("\n", 0, match.start()) + 1
        yield Block(match["language"], text_of_block, line, title[1] if title else "")


def write_files(text: str, folder: Path) -> None:
    """Write the files that a page shows where its commands look for them."""
    for block in blocks_in(text):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")


def shown_in(text: str) -> Iterator[Shown]:
    """Commands of the console blocks."""
    for block in blocks_in(text):
        if block.language in ("console", "shell-session"):
            yield from shown_in_block(block)


def shown_in_block(block: Block) -> Iterator[Shown]:
    """Commands of a block, each with the output below it."""
    lines = block.text.splitlines()
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


def is_live(text: str) -> bool:
    """Whether a page shows commands for running processes."""
    return any(shown.command.split()[:2][-1] in LIVE_COMMANDS for shown in shown_in(text))


def is_output(shown: tuple[str, ...], printed: str) -> bool:
    """Whether this was printed: to the letter, but for blanks at the end of lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + r"[ ]*\n" for line in shown
    )
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n") is not None


def shape(text: str) -> str:
    """A text with its figures, their units and the width of its columns left out."""
    text = re.sub(r"[+-]?\d[\d,.]*(?: ?(?:[kMGT]?B|d|h|min|s)\b)?(?: \d+ (?:h|min|s)\b)?", "N", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def has_shape(shown: tuple[str, ...], printed: str) -> bool:
    """Whether this was printed, figures aside."""
    return is_output(tuple(shape(line) for line in shown), shape(printed))


# -- commands that cannot be run ------------------------------------------------------------------


def commands_in(text: str, *, is_shell: bool = True) -> Iterator[list[str]]:
    """Arguments of every call of heapscope, wherever it stands in a line; up to a pipe or redirection.

    Where lines begin with a prompt (``$``), the others are output.
    """
    lines = text.replace("\\\n", " ").splitlines()
    for line in [each for each in lines if each.startswith("$ ")] or lines:
        match = _CALL.search(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        if is_shell:
            lexer = shlex.shlex(match[1], posix=True, punctuation_chars=True)
            lexer.whitespace_split = True  # 127.0.0.1:9464 is one word
            words = []
            for word in lexer:
                if set(word) <= _OPERATORS:
                    break
                words.append(word)
        else:
            words = shlex.split(match[1])
        yield words


def parse(arguments: list[str]) -> None:
    """Let the command itself take the arguments apart; nothing is run.

    Raises
    ------
    click.ClickException
        There is no such command or option, or a value is wrong.
    """
    if arguments[0].startswith("-"):
        names = {name for option in cli.get_params(click.Context(cli)) for name in option.opts}
        if arguments[0] not in names:
            raise click.NoSuchOption(arguments[0])
        return
    context = click.Context(cli, info_name=PROGRAM)
    name, command, rest = cli.resolve_command(context, list(arguments))
    assert command is not None
    while isinstance(command, click.Group):
        context = command.make_context(name, rest, parent=context)
        name, command, rest = command.resolve_command(context, list(rest))
        assert command is not None
    command.make_context(name, rest, parent=context).close()


def options_of(name: str | None = None) -> set[str]:
    """Names of the options of one command, or of all."""
    context = click.Context(cli, info_name=PROGRAM)
    found = {"--help", "--version"}
    for each in cli.list_commands(context) if name is None else [name]:
        command = cli.get_command(context, each)
        inner = list(command.commands.values()) if isinstance(command, click.Group) else []
        for one in [command, *inner] if command is not None else []:
            found |= {
                option
                for parameter in one.params
                if isinstance(parameter, click.Option)
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
    return found


def inline_code(text: str) -> Iterator[str]:
    """Code in running text."""
    yield from _INLINE.findall(_BLOCK.sub("", text))


# -- commands that are run ------------------------------------------------------------------------


def plain_arguments(command: str) -> list[str] | None:
    """Arguments of a command line with globs expanded in the current folder; None if it takes a shell."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    if words[0] != PROGRAM or any(set(word) <= _OPERATORS for word in words):
        return None
    return [path for word in words[1:] for path in (sorted(glob.glob(word)) or [word])]


def run_in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line through the shell with this tree's heapscope."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / PROGRAM
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
