"""``heapscope completion``: the script that makes a shell complete heapscope's arguments."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  heapscope completion bash >> ~/.bash_completion
    zsh:   heapscope completion zsh > ~/.zfunc/_heapscope   (a folder of $fpath)
    fish:  heapscope completion fish > ~/.config/fish/completions/heapscope.fish
    """
    from click.shell_completion import get_completion_class

    from heapscope.cli import COMPLETION_VARIABLE, PROGRAM, cli

    found = get_completion_class(shell)
    assert found is not None, shell
    # Not found.source(): for bash it runs bash to look at its version, which must not be here.
    shell_complete = found(cli, {}, PROGRAM, COMPLETION_VARIABLE)
    click.echo(shell_complete.source_template % shell_complete.source_vars())
