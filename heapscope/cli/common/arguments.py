"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from heapscope.cli.common.class_names import complete_class
from heapscope.cli.common.progress import quiet_option
from heapscope.cli.common.standard_input import DumpPath, is_saved
from heapscope.parser.numbered import numbered

if TYPE_CHECKING:
    from heapscope.analysis.snapshots import Snapshots
    from heapscope.heap.heap import Heap
    from heapscope.heap.object_set import ObjectSet

_Command = TypeVar("_Command", bound=Callable[..., Any])

DUMP = DumpPath()


def dump_argument(command: _Command) -> _Command:
    """The DUMP of a command that takes one; of a file that holds several, the one that ``--heap`` names."""

    @wraps(command)
    def with_heap(*arguments: Any, dump: Path, heap: int | None, **named: Any) -> Any:
        return command(*arguments, dump=numbered(dump, heap), **named)

    option = click.option(
        "--heap",
        metavar="N",
        type=click.IntRange(min=1),
        help="Which heap (or class histogram) of a DUMP that holds several; 'DUMP#N' says the same.  "
        "[default: the last]",
    )
    taken = click.argument("dump", type=DUMP)(quiet_option(option(with_heap)))
    return taken  # type: ignore[return-value]  # the option is gone


def dumps_argument(command: _Command) -> _Command:
    """The DUMP... of a command that reads several, one after the other."""
    return dumps_only_argument(quiet_option(command))


dumps_only_argument = click.argument("dumps", metavar="DUMP...", type=DUMP, nargs=-1, required=True)

class_option = click.option(
    "--class",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    shell_complete=complete_class,
    help="A class by its full name, by its name without the package, or by a glob with * and ?; + at the end "
    "asks for its subclasses too. Repeatable.",
)
subclasses_option = click.option(
    "--no-subclasses", is_flag=True, help="Count the named classes only, not what extends them."
)
partial_option = click.option(
    "--partial",
    is_flag=True,
    help="Analyse what can be read of a DUMP that is cut short or damaged, and say how much that is.",
)
secrets_option = click.option(
    "--show-secrets", is_flag=True, help="Show values of variables and properties that may be secret."
)


allow_absent_option = click.option(
    "--allow-absent", is_flag=True, help="A class that no DUMP has is no error: it has 0 instances."
)


def work_counts(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Numbers of ``0,100,200``; for an option."""
    if value is None:
        return None
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers.", context, parameter) from None


def check_names(found: Snapshots, patterns: Sequence[str], *, allow_absent: bool) -> None:
    """Check that patterns that a person gave name classes.

    Raises
    ------
    ObjectNotFound, AmbiguousName
    """
    from heapscope.analysis.growth.class_names import find_named

    for pattern in patterns:
        find_named(found, pattern, subclasses=True, allow_absent=allow_absent)


def watched(patterns: Sequence[str]) -> Sequence[str]:
    """The patterns asked for, or the classes of the libhdfs leak."""
    from heapscope.heap.watched_classes import WATCHED_CLASSES

    return patterns or WATCHED_CLASSES


def expanded(dumps: Sequence[Path]) -> list[Path]:
    """The dumps, a directory standing for all snapshots in it."""
    from heapscope.analysis.growth.snapshot import snapshot_files

    return [path for dump in dumps for path in snapshot_files(dump)]


index_dir_option = click.option(
    "--index-dir",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the index of DUMP is kept; by default in the user's cache folder.",
)
jobs_option = click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="DUMPs worked on at a time.  [default: as cores and memory allow]",
)
no_index_option = click.option("--no-index", is_flag=True, help="Keep no index, and use none.")


def reading_options(command: _Command) -> _Command:
    """Options of every command that puts snapshots in order; the command gets them as ``reading``.

    A dict of keyword arguments for `heapscope.snapshots`.  The dumps stay open until the command is done.
    """

    @wraps(command)
    def with_reading(
        *arguments: Any,
        partial: bool,
        raw_names: bool,
        order: str | None,
        index_dir: Path | None,
        no_index: bool,
        jobs: int | None,
        **named: Any,
    ) -> Any:
        from heapscope.heap.open_heaps import OpenHeaps

        context = click.get_current_context()
        reading = {
            "heaps": context.with_resource(OpenHeaps(jobs)),
            "partial": partial,
            "raw_names": raw_names,
            "order": order,
            "index_dir": index_dir,
            "use_index": not no_index and not is_saved(context),
        }
        return command(*arguments, reading=reading, **named)

    for option in reversed(
        (
            click.option(
                "--order",
                type=click.Choice(["given", "name"]),
                help="The order of class histograms without a date: as given, or by name.",
            ),
            click.option(
                "--raw-names",
                is_flag=True,
                help="Keep counters and addresses in names of generated classes ($$Lambda$14/0x7f10).",
            ),
            index_dir_option,
            no_index_option,
            jobs_option,
            partial_option,
        )
    ):
        with_reading = option(with_reading)
    return with_reading  # type: ignore[return-value]  # the options are gone, `reading` has come


def graph_options(command: _Command) -> _Command:
    """Options of every command that follows references; the command gets them as ``following``.

    A dict of keyword arguments for `heapscope.open`.
    """

    @wraps(command)
    def with_following(
        *arguments: Any,
        semantics: str,
        roots: str,
        soft: str,
        index_dir: Path | None,
        no_index: bool,
        partial: bool,
        **named: Any,
    ) -> Any:
        following = {
            "semantics": semantics,
            "roots": roots,
            "soft": soft,
            "index_dir": index_dir,
            "use_index": not no_index and not is_saved(click.get_current_context()),
            "partial": partial,
        }
        return command(*arguments, following=following, **named)

    for option in reversed(
        (
            click.option(
                "--semantics",
                type=click.Choice(["jvm", "mat"]),
                default="jvm",
                help="'mat' follows all referents and sizes objects as Eclipse MAT does.  [default: jvm]",
            ),
            click.option(
                "--roots",
                type=click.Choice(["mat", "plain"]),
                default="mat",
                help="Whether what lies on a thread's stack hangs on the thread ('mat') or is a root "
                "('plain').  [default: mat]",
            ),
            click.option(
                "--soft",
                type=click.Choice(["strong", "weak"]),
                default="strong",
                help="Whether soft references hold what they refer to.  [default: strong]",
            ),
            index_dir_option,
            no_index_option,
            partial_option,
        )
    ):
        with_following = option(with_following)
    return with_following  # type: ignore[return-value]  # the options are gone, `following` has come


class TwoRuns(click.Command):
    """A command whose option takes all arguments up to the next option: ``--vs B1 B2 B3``.

    So that the shell's globs work on both sides; the option itself is a repeatable one.
    """

    many = ("--vs", "--against")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its arguments.

        Raises
        ------
        click.UsageError
            The option has none.
        """
        spread: list[str] = []
        option = ""
        for place, argument in enumerate(args):
            if argument == "--":
                spread += args[place:]
                break
            if argument in self.many:
                option = argument
                is_last = place + 1 == len(args) or args[place + 1].startswith("-")
                if is_last and not ctx.resilient_parsing:  # which the shell's completion does
                    raise click.UsageError(f"{option} needs at least one DUMP.", ctx)
                continue
            if argument.startswith("-") and argument != "-":
                option = ""
            spread += [option, argument] if option else [argument]
        return super().parse_args(ctx, spread)


def size_of_option(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Bytes of ``4G``; the callback of an option.

    Raises
    ------
    click.BadParameter
        The text is no size.
    """
    from heapscope.units import parse_bytes

    try:
        return None if value is None else parse_bytes(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", context, parameter) from None


limit_option = click.option(
    "--limit",
    "limit_bytes",
    metavar="SIZE",
    callback=size_of_option,
    help="A memory limit for the forecast: 4G is 4 GiB, as -Xmx has it.",
)
force_series_option = click.option(
    "--force-series", is_flag=True, help="Compare snapshots of different processes all the same."
)


class Subject(NamedTuple):
    """What a command is about: a class pattern, or one object."""

    text: str
    address: int | None


def _subject(context: click.Context, parameter: click.Parameter, value: str) -> Subject:
    if value[:2].lower() != "0x":
        return Subject(value, None)
    try:
        return Subject(value, int(value, 16))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no address.", context, parameter) from None


def objects_of(heap: Heap, subject: Subject, *, subclasses: bool = True) -> ObjectSet:
    """The objects that a subject names.

    Parameters
    ----------
    heap : Heap
    subject : Subject
    subclasses : bool
        Whether instances of subclasses are among them.

    Raises
    ------
    ObjectNotFound
        The dump has no such class or object.
    """
    if subject.address is None:
        return heap.objects(subject.text, subclasses=subclasses)
    from heapscope.heap.object_set import ObjectSet
    from heapscope.heap.objects.inspector import find_object

    return ObjectSet(heap.graph, [find_object(heap.graph, subject.address).index])


subject_argument = click.argument(
    "subject", metavar="CLASS|0xADDRESS", callback=_subject, shell_complete=complete_class
)
