"""``heapscope export``: a heap as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from heapscope import __version__
from heapscope.cli.common.arguments import dump_argument, graph_options, secrets_option
from heapscope.cli.common.progress import work
from heapscope.reporter.text import plural


@click.command()
@dump_argument
@click.option(
    "-o",
    "--output",
    metavar="DIR|FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="A new folder for parquet and arrow, a new file for the others.",
)
@click.option(
    "--to",
    type=click.Choice(["parquet", "arrow", "folded", "speedscope", "pprof"]),
    default="parquet",
    help="[default: parquet]",
)
@click.option(
    "--before",
    metavar="DUMP",
    type=click.Path(path_type=Path),
    help="An earlier dump: the flame graph shows what grew since.",
)
@secrets_option
@graph_options
@click.option("--force", is_flag=True, help="Overwrite DIR or FILE.")
def export(
    dump: Path,
    output: Path,
    to: str,
    before: Path | None,
    show_secrets: bool,
    following: dict[str, Any],
    force: bool,
) -> None:
    """Write DUMP for other programs.

    parquet and arrow: a folder with a file for each table of 'heapscope sql' but findings and growth, for
    polars, pandas, DuckDB or Spark. folded, speedscope and pprof: the dominator tree by class, weighted by
    retained bytes, for speedscope, 'go tool pprof', Grafana or flamegraph.pl; with --before the difference.

    \b
    heapscope export worker-3.hprof --to parquet -o worker-3
    """
    is_profile = to not in ("parquet", "arrow")
    if before is not None and not is_profile:
        raise click.UsageError("--before is for folded, speedscope and pprof.")
    with work() as at:
        if is_profile:
            _profile(dump, before, output, to, following, force, at)
        else:
            count = _tables(dump, output, to, following, show_secrets, force, at)
            click.echo(f"{plural(count, 'table')} in {output}", err=True)


def _tables(
    dump: Path, output: Path, to: Any, following: dict[str, Any], show_secrets: bool, force: bool, at: Any
) -> int:
    from heapscope.errors import OutputExists
    from heapscope.extras import pyarrow
    from heapscope.query.export import export_tables
    from heapscope.query.sources import opened_session

    pyarrow()
    if output.exists() and not force:
        raise OutputExists(output)
    at.name(dump)
    with opened_session([dump], following, show_secrets=show_secrets, progress=at.progress) as session:
        return len(export_tables(session, output, to, version=__version__, force=force, progress=at.progress))


def _profile(
    dump: Path, before: Path | None, output: Path, to: Any, following: dict[str, Any], force: bool, at: Any
) -> None:
    from heapscope.files import check_free, new_file
    from heapscope.heap.opening import open as open_heap
    from heapscope.heap.retention.class_paths import find_class_paths
    from heapscope.query.profiles import write_profile

    check_free(output, force)
    weights = []
    for path in at.each([*([before] if before is not None else []), dump]):
        with open_heap(path, at.progress, follows=True, **following) as heap:
            weights.append(find_class_paths(heap.graph).weights())
    earlier = weights[0] if before is not None else None
    with new_file(output, force=force) as file:
        file.write(write_profile(to, dump.name, weights[-1], earlier))
