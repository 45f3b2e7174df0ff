"""``heapscope check``: whether a cure worked, and guards for test suites; exit codes for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from heapscope.cli.common.answer import SCHEMA_VERSION, Answer, Choice, Column, snapshot_lines
from heapscope.cli.common.arguments import (
    DUMP,
    TwoRuns,
    allow_absent_option,
    check_names,
    dumps_argument,
    expanded,
    force_series_option,
    reading_options,
    work_counts,
)
from heapscope.cli.common.class_names import complete_class
from heapscope.cli.common.exit_codes import FOUND, TOO_EARLY
from heapscope.cli.common.notebook_output import remember
from heapscope.cli.common.output import (
    document_options,
    json_text,
    plain_text,
    show,
    snapshot_facts,
    write,
    write_lines,
)
from heapscope.cli.common.progress import work
from heapscope.errors import HeapscopeError

if TYPE_CHECKING:
    from heapscope.analysis.growth.cure import Proof
    from heapscope.analysis.growth.guards import Checked, Checks
    from heapscope.analysis.snapshots import Snapshots
    from heapscope.reporter.junit import Case

_SHOWN = 8
_PROOF_COLUMNS = (
    Column("instance_count_a_first", "before\nfirst", 1),
    Column("instance_count_a_last", "before\nlast", 0),
    Column("instance_count_a_rate", "before\nrate", 4, is_signed=True, decimals=1),
    Column("instance_count_b_first", "after\nfirst", 1),
    Column("instance_count_b_last", "after\nlast", 0),
    Column("instance_count_b_rate", "after\nrate", 5, is_signed=True, decimals=1),
    Column("instance_count_b_expected", "as before it\nwould add", 2, is_signed=True, decimals=1),
    Column("name", "class", is_text=True),
)


@click.command(cls=TwoRuns)
@dumps_argument
@click.option(
    "--against",
    "after",
    metavar="AFTER...",
    type=DUMP,
    multiple=True,
    help="Dumps taken after the cure: is what grew in DUMP... gone?",
)
@click.option(
    "--class",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    shell_complete=complete_class,
    help="With --against: the classes that decide, with subclasses; else what leaks in DUMP....",
)
@click.option(
    "--max",
    "limits",
    metavar="LIMIT",
    multiple=True,
    help="'a.b.Class <= 3' in every DUMP; 'Class+' counts subclasses, 'retained(Class) <= 10MB' bytes. "
    "Repeatable.",
)
@click.option(
    "--no-growth",
    metavar="PATTERN",
    multiple=True,
    shell_complete=complete_class,
    help="Classes that must not grow, such as 'com.acme.*'. Repeatable.",
)
@allow_absent_option
@click.option(
    "--work",
    "work_before",
    metavar="N,N,...",
    callback=work_counts,
    help="With --against: operations done by the time of each DUMP; by default of the sidecars.",
)
@click.option(
    "--work-after",
    metavar="N,N,...",
    callback=work_counts,
    help="The same for each AFTER.",
)
@click.option(
    "--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit XML for a CI server."
)
@force_series_option
@reading_options
@document_options("Write JSON: exact values, ISO times.")
def check(
    dumps: tuple[Path, ...],
    after: tuple[Path, ...],
    patterns: tuple[str, ...],
    limits: tuple[str, ...],
    no_growth: tuple[str, ...],
    allow_absent: bool,
    work_before: tuple[float, ...] | None,
    work_after: tuple[float, ...] | None,
    junit: Path | None,
    force_series: bool,
    reading: dict[str, Any],
    choice: Choice,
) -> None:
    """Prove a cure, or guard a test suite.

    \b
    heapscope check before-*.hprof.gz --against after-*.hprof.gz
    heapscope check DUMP... --max 'org.apache.hadoop.fs.FileSystem+ <= 3' \\
        --no-growth 'com.acme.*' --junit heap.xml

    With --against DUMP... are diagnosed, and what leaks there decides; else the program's own classes that
    grew, else those of libraries. Exit code 0 fixed, 1 not fixed, 4 too early to tell: what does not
    grow in AFTER proves nothing where nothing shows that the program did the same work, as objects that come
    and go do, or a work counter.

    With guards: 0 all hold, 1 one does not, 3 a guard names no class, or the text of a class histogram is
    cut. Both together: 1 outweighs 4. Of two or three dumps --no-growth takes a rise in every step for
    growth.
    """
    from heapscope.analysis.growth.guards import read_guard
    from heapscope.analysis.snapshots import snapshots
    from heapscope.reporter.junit import junit_xml

    if not (after or limits or no_growth):
        raise click.UsageError("Nothing to check: give --against, --max or --no-growth.")
    if patterns and not after:
        raise click.UsageError("--class needs --against.")
    if (work_before is None) != (work_after is None) or (work_before is not None and not after):
        raise click.UsageError("--work and --work-after go together, and with --against.")
    try:  # before any dump is read
        for limit in limits:
            read_guard(limit)
    except HeapscopeError as error:
        raise click.BadParameter(str(error), param_hint="'--max'") from None

    to_junit = Choice(path=junit, force=choice.force)
    to_junit.check()
    proof: Proof | None = None
    checks: Checks | None = None
    with work() as at:
        before = snapshots(expanded(dumps), at.progress, **reading)
        cured = snapshots(expanded(after), at.progress, **reading) if after else None
        if limits or no_growth:
            checks = before.check(
                limits,
                no_growth=no_growth,
                allow_absent=allow_absent,
                partial=reading["partial"],
                force_series=force_series,
                progress=at.progress,
            )
        check_names(before, patterns, allow_absent=allow_absent)
        if cured is not None:
            work_done = None if work_before is None or work_after is None else (work_before, work_after)
            proof = before.prove(
                cured, patterns, force_series=force_series, work=work_done, progress=at.progress
            )
    if choice.format == "json":
        write(_json(before, cured, proof, checks), choice)
    else:
        _tell(before, cured, proof, checks, choice)
        if checks is not None:
            remember(checks)
    if junit is not None:
        write(junit_xml("heapscope check", _cases(proof, checks)), to_junit)
    if (checks is not None and not checks) or (proof is not None and proof.verdict == "not fixed"):
        raise click.exceptions.Exit(FOUND)
    if proof is not None and not proof.is_fixed:
        raise click.exceptions.Exit(TOO_EARLY)


def _columns(proof: Proof) -> tuple[Column, ...]:
    """With what the figures count, where not all are of instances."""
    if all(one.what == "instances" for one in proof.decisive):
        return _PROOF_COLUMNS
    *figures, name = _PROOF_COLUMNS
    return (*figures, Column("what", "of", is_text=True), name)


def _cases(proof: Proof | None, checks: Checks | None) -> list[Case]:
    from heapscope.reporter.junit import Case

    cases = []
    if proof is not None:
        outcome: Literal["passed", "failed", "skipped"] = (
            "passed" if proof.is_fixed else "failed" if proof.verdict == "not fixed" else "skipped"
        )
        cases.append(Case("the leak is fixed", outcome, f"{proof.verdict}: {proof.reason}"))
    for one in checks.results if checks is not None else ():
        cases.append(Case(one.name, one.outcome, _with_hint(one)))
    return cases


def _with_hint(one: Checked) -> str:
    return f"{one.message} ({one.hint})" if one.hint else one.message


def _tell(
    before: Snapshots, cured: Snapshots | None, proof: Proof | None, checks: Checks | None, choice: Choice
) -> None:
    results = checks.results if checks is not None else ()
    guards = [f"{one.outcome}: {one.name}: {_with_hint(one)}" for one in results]
    guards = ["", *guards] if checks is not None else []
    if proof is None or cured is None:
        lines = snapshot_lines(before)
    else:
        heading = ["before:", *snapshot_lines(before), "after:", *snapshot_lines(cured), ""]
        heading.append(f"{proof.verdict}: {proof.reason}")
        more = max(0, len(proof.decisive) - _SHOWN)
        if proof.decisive:
            answer = Answer(
                "check",
                proof.to_table().head(_SHOWN),
                _columns(proof),
                [*before, *cured],
                rows_are=("class that grew before", "classes that grew before"),
                heading=heading,
                notes=[
                    *([f"{more:,} more such classes, with --json"] if more else []),
                    f"rates are per {proof.decisive[0].unit}",
                ],
            )
            if choice.path is None:
                show(answer, Choice(rows=0))
                write_lines(guards, choice)
            else:
                write_lines([*plain_text(answer).splitlines(), *guards], choice)
            return
        lines = heading
    write_lines([*lines, *guards], choice)


def _json(before: Snapshots, cured: Snapshots | None, proof: Proof | None, checks: Checks | None) -> str:
    return json_text(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "check",
            "snapshots": [snapshot_facts(one) for one in before],
            "after": [snapshot_facts(one) for one in cured or ()],
            "verdict": None if proof is None else proof.verdict,
            "reason": None if proof is None else proof.reason,
            "classes": [] if proof is None else list(proof.to_table().rows()),
            "guards": [] if checks is None else list(checks.to_table().rows()),
        }
    )
