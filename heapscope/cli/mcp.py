"""``heapscope mcp``: the same answers for programs that ask, over the Model Context Protocol."""

from __future__ import annotations

import os
from pathlib import Path

import click

from heapscope.cli.common.arguments import DUMP, index_dir_option, no_index_option


@click.command()
@click.argument("paths", metavar="[DUMP|DIR]...", type=DUMP, nargs=-1)
@click.option(
    "--show-values",
    is_flag=True,
    help="Say values of the heap too: texts, names of threads, users. Secrets are masked.",
)
@click.option(
    "--allow-collect",
    is_flag=True,
    help="Offer 'ps' and 'collect': snapshots of running JVMs, into the first DIR, in two steps.",
)
@click.option(
    "--answer-bytes",
    type=click.IntRange(1000, 1_000_000),
    default=8000,
    help="No answer is longer.  [default: 8000]",
)
@index_dir_option
@no_index_option
def mcp(
    paths: tuple[Path, ...],
    show_values: bool,
    allow_collect: bool,
    answer_bytes: int,
    index_dir: Path | None,
    no_index: bool,
) -> None:
    """Serve the Model Context Protocol over standard input and output, for one client that starts this
    command. Only what is named here can be read: dumps, class histograms, logs, and folders of them; the
    current folder where nothing is named.

    Answers have names of classes and fields, counts and sizes, but no values of the heap. What they have is
    in 'docs/how-to/agents.md'.

    \b
    heapscope mcp /var/dumps
    """
    from heapscope.extras import need_mcp

    need_mcp()
    from heapscope.agent.scope import Scope
    from heapscope.agent.server import serve
    from heapscope.agent.settings import Settings

    given = paths or (Path.cwd(),)
    roots = Scope(given).roots
    folder = next((str(root) for root in roots if root.is_dir()), "")
    if allow_collect and not folder:
        raise click.UsageError("--allow-collect needs a DIR, where snapshots go.")
    if allow_collect and not os.access(folder, os.W_OK):
        raise click.UsageError(f"--allow-collect: {folder} cannot be written to.")
    serve(
        Settings(
            paths=tuple(map(str, roots)),
            show_values=show_values,
            collect_to=folder if allow_collect else "",
            answer_bytes=answer_bytes,
            index_dir="" if index_dir is None else os.path.abspath(index_dir),
            use_index=not no_index,
        )
    )
