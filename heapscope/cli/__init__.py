"""The command line.  Commands load when they are called; `main` is the only way out.

Exit codes::

    0    fine
    1    something was found: ``check``, ``diagnose --fail-on-leak``, ``collect --check``, ``fleet compare``
    2    wrong usage
    3    a HeapscopeError: one line on stderr that names the file and what to do
    4    too early to tell, or too few: ``check --against``, ``fleet compare``
    70   a bug in heapscope: the traceback, to be reported
    130  interrupted
    141  whoever read the output has gone (``| head``)
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import click

from heapscope import __version__
from heapscope.cli.commands import COMMANDS, EXAMPLES, FIRST_STEPS, GROUPS, SHORT_HELP
from heapscope.cli.common import blas_threads
from heapscope.cli.common.exit_codes import BUG, FAILED, INTERRUPTED, OK, READER_GONE
from heapscope.errors import HeapscopeError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "heapscope"
COMPLETION_VARIABLE = "_HEAPSCOPE_COMPLETE"


class _LazyGroup(click.Group):
    """Commands by name; their modules are imported when one is called, `--help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        command.short_help = SHORT_HELP[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what one wants."""
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands with what they do, and files, for which one is guessed."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=SHORT_HELP[name]) for name in COMMANDS if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)] or [
            CompletionItem(incomplete, type="file")
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # The completion of a shell reads no file.
        is_file_first = bool(args) and (args[0][:1] != "-" or args[0] == "-")
        if is_file_first and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from heapscope.cli.guess import guess, is_file, told

            if not is_file(args[0]):
                near = get_close_matches(args[0], COMMANDS, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                is_path = os.sep in args[0] or "." in args[0]
                what = "No such file" if is_path and not near else "No such command"
                raise click.UsageError(f"{what} {args[0]!r}.{hint}", ctx)
            guessed, *rest = guess(args)
            click.echo(f"{PROGRAM}: no command is named; this is: {told(guessed, rest)}", err=True)
            args = [guessed, *rest]
        return super().resolve_command(ctx, args)


def _aligned(pairs: Sequence[tuple[str, str]]) -> str:
    width = max(len(first) for first, _ in pairs)
    return "\n".join(f"{first:{width}}  {second}".rstrip() for first, second in pairs)


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    help=f"Find what leaks in a JVM, from its heap dumps.\n\n\b\n{_aligned(EXAMPLES)}",
    epilog=(
        "DUMP is a heap dump (.hprof, also gzip, zstd, xz, or alone in a zip or tar) or the text of "
        "'jmap -histo' or 'jcmd PID GC.class_histogram' (- reads either from standard input); DUMP#2 is the "
        "second of several in a file. They are put in the order of the time they were taken, but for "
        "'diff', which keeps yours. 'heapscope DUMP' without a command takes the one that fits. "
        "Exit codes: 0 fine, 1 a check found something, 2 wrong usage, 3 a file that cannot be read "
        "or written, 4 too early, or too few, to tell ('check --against', 'fleet compare')."
    ),
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """See `help` above; without a command the first steps are told."""
    if context.invoked_subcommand is None:
        click.echo(f"heapscope {__version__} finds what leaks in a JVM. What do you have?\n")
        for question, command in FIRST_STEPS:
            if question:
                click.echo(f"  {question}")
            click.echo(f"      {command}")
        click.echo("\n'heapscope --help' lists all commands, 'heapscope COMMAND --help' tells of one.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing else prints errors or exits.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; ``sys.argv[1:]`` by default.
    """
    _open_standard_files()
    for stream in (sys.stdout, sys.stderr):
        # Class names may hold anything; an old terminal must not end in a UnicodeEncodeError.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # A command makes hundreds of thousands of objects that stay: looking for cycles among them
    # every 700 takes a tenth of the time of a histogram.
    gc.set_threshold(100_000, 50, 50)
    if arguments is None:  # a process of its own, and no line in somebody's notebook
        blas_threads.start_none()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except HeapscopeError as error:
        return _fail(str(error), FAILED)
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    except OSError as error:
        where = _output_that_failed() if error.filename is None else f"{os.fsdecode(error.filename)}: "
        _drop_output()
        return _fail(f"{where}{error.strerror or error}", FAILED)
    except MemoryError:
        return _fail("out of memory; close other programs or use a machine with more", FAILED)
    except Exception:
        import traceback

        traceback.print_exc()
        return _fail("this is a bug; please report it with the lines above", BUG)


def _run(arguments: list[str]) -> int:
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, PROGRAM, COMPLETION_VARIABLE, instruction)
    with cli.make_context(PROGRAM, arguments) as context:
        cli.invoke(context)
    return OK


def _open_standard_files() -> None:
    """Where input, output or errors are closed, they lead nowhere.

    Else the next file that is opened would have their number, and what is printed would get into it.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as the program runs
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _output_that_failed() -> str:
    """That standard output cannot be written, where that is so: what could not stays in its buffer."""
    try:
        sys.stdout.flush()
    except OSError:
        return "standard output: "
    return ""


def _drop_output() -> None:
    """Send stdout to /dev/null: what is left in the buffer would fail again when Python ends."""
    with suppress(OSError, ValueError):  # no file at all: stdout was replaced, in a test say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    from heapscope.reporter.text import printable

    print(f"{PROGRAM}: {printable(message)}", file=sys.stderr)
    return code
