"""The help of every command."""

from __future__ import annotations

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
