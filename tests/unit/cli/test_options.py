"""The same options everywhere: which command has which, and why one has not."""

from __future__ import annotations

import click
import pytest

from heapscope.cli import cli

OPTIONS = (
    "-o",
    "--json",
    "--csv",
    "--force",
    "--index-dir",
    "--no-index",
    "--semantics",
    "--partial",
    "--show-secrets",
    "--sort",
)

# Why a command leaves an option out.
NO_DUMP = "it reads no heap dump"
NO_INDEX = "it needs no index of a dump"
NO_VALUES = "it shows names and figures, no values of the heap"
NO_TABLE = "its answer is no single table; --json has it"
NO_ROWS = "it has no rows"
FORMATS = "the ending of -o names the format"
APPENDS = "it appends to its file, and overwrites none"
NEW_FILES = "each snapshot is a new file; the sidecars are JSON"
STRONG = "its verdicts rest on what the JVM itself keeps alive"
OWN_INDEX = "dumps are copied or read once by workers, and leave no index"
MASKED = "what is passed on is masked always"
LINES = "it is a server or a program with a screen, no answer"
SHELL = "a script for the shell, which redirects it"
IN_AND_OUT = "it copies IN to OUT"
ORDER_BY = "the query says ORDER BY"
COMMANDS = "it prints commands to type"
KEEPS = "a copy that is there is not fetched again, and another file is never replaced"

_TABLE = {"-o", "--json", "--csv", "--force", "--sort"}
_FOLLOWS = {"--index-dir", "--no-index", "--semantics", "--partial"}
_SERIES = {"--index-dir", "--no-index", "--partial"}
_TEXT = {"-o", "--json", "--force"}


def without(has: set[str], **why: str) -> dict[str, str]:
    """Why each option that a command has not is left out; every one needs a reason."""
    left_out = {f"--{name.replace('_', '-')}": reason for name, reason in why.items()}
    left_out["-o"] = left_out.pop("--output", "")
    return {option: left_out.get(option, "") for option in OPTIONS if option not in has}


_NO_DUMP = dict.fromkeys(("index_dir", "no_index", "semantics", "partial", "show_secrets"), NO_DUMP)

# Of each command the options that it leaves out, with the reason; it has all others.
TABLE: dict[str, dict[str, str]] = {
    "ps": without(
        _TABLE | {"--show-secrets"},
        index_dir=NO_DUMP, no_index=NO_DUMP, semantics=NO_DUMP, partial=NO_DUMP,
    ),
    "watch": without({"-o"}, json=FORMATS, csv=FORMATS, force=APPENDS, sort=LINES, **_NO_DUMP),
    "plot": without(
        {"-o", "--force"},
        json="FILE has the figures", csv="FILE has the figures", sort=NO_ROWS, **_NO_DUMP,
    ),
    "collect": without({"-o"}, json=NEW_FILES, csv=NEW_FILES, force=NEW_FILES, sort=NO_ROWS, **_NO_DUMP),
    "diagnose": without(_TEXT | _SERIES | {"--show-secrets"}, csv=NO_TABLE, sort=NO_TABLE, semantics=STRONG),
    "explain-log": without(_TEXT, csv=NO_TABLE, sort=NO_TABLE, **_NO_DUMP),
    "report": without(
        {"-o", "--force", "--show-secrets"} | _SERIES,
        json=FORMATS, csv=NO_TABLE, sort=NO_TABLE, semantics=STRONG,
    ),
    "bundle": without(
        {"-o", "--force"} | _SERIES,
        json="the zip has it", csv=NO_TABLE, sort=NO_TABLE, semantics=STRONG, show_secrets=MASKED,
    ),
    "histogram": without(_TABLE | _FOLLOWS, show_secrets=NO_VALUES),
    "census": without(_TABLE | _SERIES, semantics=STRONG, show_secrets=NO_VALUES),
    "diff": without(_TABLE | _SERIES, semantics=STRONG, show_secrets=NO_VALUES),
    "trend": without(_TABLE | _SERIES, semantics=STRONG, show_secrets=NO_VALUES),
    "growth": without(_TABLE | _SERIES, semantics=STRONG, show_secrets=NO_VALUES),
    "check": without(_TEXT | _SERIES, csv=NO_TABLE, sort=NO_TABLE, semantics=STRONG, show_secrets=NO_VALUES),
    "suspects": without(_TEXT | _FOLLOWS | {"--show-secrets"}, csv=NO_TABLE, sort=NO_TABLE),
    "retained": without(_TABLE | _FOLLOWS, show_secrets=NO_VALUES),
    "paths": without(_TEXT | _FOLLOWS, csv=NO_TABLE, sort=NO_TABLE, show_secrets=NO_VALUES),
    "dominators": without(_TABLE | _FOLLOWS, show_secrets=NO_VALUES),
    "inspect": without(_TEXT | _FOLLOWS | {"--show-secrets"}, csv=NO_TABLE, sort=NO_TABLE),
    "objects": without(_TABLE | _FOLLOWS | {"--show-secrets"}),
    "referrers": without(_TABLE | _FOLLOWS, show_secrets=NO_VALUES),
    "sql": without((_TABLE | _FOLLOWS | {"--show-secrets"}) - {"--sort"}, sort=ORDER_BY),
    "export": without(
        {"-o", "--force", "--show-secrets"} | _FOLLOWS,
        json="--to names the format", csv="--to names the format", sort=NO_ROWS,
    ),
    "fleet run": without(
        {"-o", "--partial"},
        json="sketches are Parquet files", csv="sketches are Parquet files",
        force="it goes on with what is there",
        index_dir=OWN_INDEX, no_index=OWN_INDEX, semantics=STRONG, show_secrets=MASKED, sort=NO_ROWS,
    ),
    "fleet report": without(_TEXT, csv=NO_TABLE, sort=NO_TABLE, **{**_NO_DUMP, "show_secrets": MASKED}),
    "fleet compare": without(_TEXT, csv=NO_TABLE, sort=NO_TABLE, **{**_NO_DUMP, "show_secrets": MASKED}),
    "fleet open": without({"-o"}, json=COMMANDS, csv=COMMANDS, force=KEEPS, sort=NO_ROWS, **_NO_DUMP),
    "threads": without(_TABLE | _FOLLOWS | {"--show-secrets"}),
    "info": without(
        _TEXT | _SERIES | {"--show-secrets"},
        csv=NO_TABLE, sort=NO_TABLE, semantics="it follows no references",
    ),
    "explore": without(
        _FOLLOWS | {"--show-secrets"}, output=LINES, json=LINES, csv=LINES, force=LINES, sort=LINES
    ),
    "redact": without(
        {"--force", "--partial"},
        output=IN_AND_OUT, json=IN_AND_OUT, csv=IN_AND_OUT, sort=NO_ROWS,
        index_dir=OWN_INDEX, no_index=OWN_INDEX,
        semantics="no size is computed", show_secrets="it takes them out",
    ),
    "mcp": without(
        {"--index-dir", "--no-index"},
        output=LINES, json=LINES, csv=LINES, force=LINES, sort=LINES, semantics=STRONG,
        partial="it always answers of what can be read, and says so",
        show_secrets="secrets are masked for every agent; --show-values shows the rest",
    ),
    "demo": without(
        {"-o"}, json=NEW_FILES, csv=NEW_FILES, force="it removes nothing", sort=NO_ROWS, **_NO_DUMP
    ),
    "completion": without(set(), output=SHELL, json=SHELL, csv=SHELL, force=SHELL, sort=SHELL, **_NO_DUMP),
}  # fmt: skip


def every_command() -> dict[str, click.Command]:
    """All commands; those of a group by both words."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {below}": each for below, each in command.commands.items()}
        else:
            found[name] = command
    return found


def options_of(command: click.Command) -> set[str]:
    """Options as they are typed."""
    return {text for each in command.params if isinstance(each, click.Option) for text in each.opts}


def test_every_command_is_in_the_table() -> None:
    assert every_command().keys() == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_a_command_has_an_option_or_a_reason(name: str) -> None:
    has = options_of(every_command()[name])
    left_out = TABLE[name]
    assert {option for option in OPTIONS if option not in has} == left_out.keys()
    assert all(left_out.values()), f"no reason: {[each for each, why in left_out.items() if not why]}"


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_means_the_same_everywhere(option: str) -> None:
    """One help text, but for what is written there; one spelling, one type."""
    found = {
        name: parameter
        for name, command in every_command().items()
        for parameter in command.params
        if option in parameter.opts
    }
    assert found
    assert len({tuple(parameter.opts) for parameter in found.values()}) == 1
    assert len({parameter.name for parameter in found.values()}) == 1
    assert len({type(parameter.type) for parameter in found.values()}) == 1
    if option in ("--index-dir", "--no-index", "--semantics", "--show-secrets"):
        assert len({getattr(parameter, "help", "") for parameter in found.values()}) == 1
