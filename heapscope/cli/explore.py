"""``heapscope explore``: the heap in a browser."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from heapscope import extras
from heapscope.cli.common.arguments import dumps_only_argument, expanded, graph_options, secrets_option


@click.command()
@dumps_only_argument
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A port; any free one by default.")
@click.option(
    "--listen",
    "host",
    metavar="ADDRESS",
    default="127.0.0.1",
    help="Serve on this address, for other machines; then the token is always needed.  [default: 127.0.0.1]",
)
@click.option("--open", "is_opened", is_flag=True, help="Open a browser.")
@secrets_option
@graph_options
def explore(
    dumps: tuple[Path, ...],
    port: int,
    host: str,
    is_opened: bool,
    show_secrets: bool,
    following: dict[str, Any],
) -> None:
    """Serve pages about DUMPs until Ctrl-C: classes, the dominator tree, objects with who refers to them,
    threads, strings, and what grew between dumps. The address is printed; only this machine can open it.

    \b
    heapscope explore worker-3.hprof
    ssh -L 8080:127.0.0.1:8080 HOST heapscope explore --port 8080 worker-3.hprof
    """
    extras.need_web_server()
    paths = expanded(dumps)
    _check(paths)
    from heapscope.explorer.server import Server
    from heapscope.explorer.session import Session

    session = Session(paths, following, show_secrets=show_secrets)
    server = Server(session, host, port)
    click.echo(f"heapscope explore: {server.address}\n(Ctrl-C ends it)", err=False)
    sys.stdout.flush()
    if is_opened:
        import webbrowser

        webbrowser.open(server.address)
    with suppress(KeyboardInterrupt):
        server.run()
    # What is still being computed is not waited for; an index that is half written has no name yet.
    sys.stdout.flush()
    os._exit(0)


def _check(paths: list[Path]) -> None:
    """Look at each file, so that a wrong name is an error here and not on a page.

    Raises
    ------
    click.UsageError
        A file is a class histogram.
    NotHprof
        It is something else, or empty.
    """
    from heapscope.analysis.growth.snapshot import is_histogram_file
    from heapscope.parser.numbered import split_number
    from heapscope.parser.source import Source

    for path in paths:
        file, _ = split_number(path)
        file.open("rb").close()
        if is_histogram_file(file):
            raise click.UsageError(
                f"{path} is a class histogram, which has no objects to walk through; "
                "heapscope growth and diff read it."
            )
        Source(path).close()
