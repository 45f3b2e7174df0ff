"""MkDocs hook: reference pages from the commands themselves and from the docstrings, at each build.

Nothing here is written down twice: a command that is added to `heapscope.cli.commands`, or a name that
is added to `heapscope.__all__`, has its page or its entry with the next build.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import heapscope
from heapscope.cli import PROGRAM, cli
from heapscope.cli.commands import COMMANDS, GROUPS
from heapscope.reporter.catalogue import catalogue_page
from tests.support.documents import PAGES, ROOT, blocks_in, shown_in_block

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# At the root of the source -> in the site.
ROOT_DOCUMENTS = {"SECURITY.md": "security.md", "CHANGELOG.md": "changelog.md"}
COMMAND_FOLDER = "reference/commands"
_TITLE = re.compile(r"^title: (.+)$", re.MULTILINE)
# Lines of output that a command's page shows; the page that it comes from has all of them.
LONGEST_EXAMPLE = 24
PYTHON_FOLDER = "reference/python"
CATALOGUE = "reference/known-leaks.md"

# What public functions and methods return is not in __all__, but people hold it in their hands.
OBJECTS = [
    "heapscope.heap.object_set.ObjectSet",
    "heapscope.heap.objects.java_object.JavaObject",
    "heapscope.heap.objects.threads.JavaThread",
]
GRAPH = [
    "heapscope.heap.graph.options.Options",
    "heapscope.heap.retention.suspects.Suspects",
    "heapscope.heap.retention.suspects.Suspect",
    "heapscope.heap.retention.off_heap.OffHeap",
    "heapscope.heap.retention.off_heap.OffHeapUse",
    "heapscope.heap.graph.dominators.Dominators",
    "heapscope.heap.graph.reachability.Reachability",
    "heapscope.heap.retention.paths.MergedPaths",
    "heapscope.heap.retention.paths.Path",
]
COLLECTOR = [
    "heapscope.collector.processes.find",
    "heapscope.collector.processes.get",
    "heapscope.collector.processes.JvmProcess",
    "heapscope.collector.dump.collect",
    "heapscope.collector.dump.Collected",
    "heapscope.collector.attach.jcmd",
    "heapscope.collector.watch.Watch",
    "heapscope.collector.memory.Sample",
]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages where the navigation leaves room for them."""
    for entry in config.nav or []:
        if isinstance(entry, dict) and "Reference" in entry:
            for child in entry["Reference"]:
                if isinstance(child, dict) and "Commands" in child:
                    child["Commands"] = list(command_pages())
                elif isinstance(child, dict) and "Python" in child:
                    child["Python"] = list(python_pages())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {**command_pages(), **python_pages(), **root_pages()}
    for path, text in {**pages, CATALOGUE: catalogue_page()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to documents at the root of the source lead to their pages here."""
    for name, path in ROOT_DOCUMENTS.items():
        up = "../" * (page.file.src_uri.count("/") + 1)
        here = "../" * page.file.src_uri.count("/")
        markdown = markdown.replace(f"]({up}{name})", f"]({here}{path})")
    return markdown


def root_pages() -> dict[str, str]:
    """Documents that lie at the root of the source, where people look for them, as pages."""
    root = Path(__file__).parents[2]
    return {
        path: (root / name).read_text(encoding="utf-8").replace("](docs/", "](")
        for name, path in ROOT_DOCUMENTS.items()
    }


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Keep short code in one piece; link ``heapscope.heap.graph.options.Options`` where it has an entry."""
    if page.file.src_uri.startswith(PYTHON_FOLDER):
        linked = r'<autoref optional identifier="\1"><code>\1</code></autoref>'
        html = re.sub(r"<code>(heapscope(?:\.\w+)+)</code>", linked, html)
    # Browsers break lines after any hyphen: "--" at the end of one, "help" on the next.
    return re.sub(r"<code>([^<\n]{1,24})</code>", r'<code class="short">\1</code>', html)


# -- commands --------------------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Every command by name, in the order of ``heapscope --help``."""
    context = click.Context(cli, info_name=PROGRAM)
    return {name: command for name in COMMANDS if (command := cli.get_command(context, name)) is not None}


def command_pages() -> dict[str, str]:
    """Path in the site -> Markdown, the overview first."""
    pages = {f"{COMMAND_FOLDER}/index.md": _overview()}
    for name, command in commands().items():
        pages[f"{COMMAND_FOLDER}/{name}.md"] = command_page(name, command)
    return pages


def command_page(name: str, command: click.Command) -> str:
    """What ``heapscope NAME --help`` says, as Markdown; of a group also what its commands say."""
    context = click.Context(command, info_name=name, parent=click.Context(cli, info_name=PROGRAM))
    lines = ["---", f"title: {name}", "---", f"# {PROGRAM} {name}", ""]
    lines += _help_of(command, context, "##", _example_of(name))
    if isinstance(command, click.Group):
        for part, inner in command.commands.items():
            lines += [f"## {PROGRAM} {name} {part}", ""]
            lines += _help_of(inner, click.Context(inner, info_name=part, parent=context), "###")
    return "\n".join(lines)


def _help_of(
    command: click.Command, context: click.Context, level: str, example: Sequence[str] = ()
) -> list[str]:
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [
        # Usage is folded for a terminal; a page folds by itself.
        *_code(" ".join(usage.split())),
        "",
        *_prose(command.help or ""),
        "",
        *example,
        f"{level} Options",
        "",
    ]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is None:
            continue
        names, text = record
        lines += [_code_span(names), f":   {_escaped(text)}", ""]
    return lines


def examples() -> dict[str, tuple[Path, str]]:
    """Command -> a page that shows it with its output, and the lines to show.

    The tests run what stands in ``console`` blocks and compare what is printed.
    """
    found: dict[str, tuple[int, Path, str]] = {}
    for page in PAGES:
        for block in blocks_in(page.read_text(encoding="utf-8")):
            if block.language not in ("console", "text"):
                continue
            for shown in shown_in_block(block):
                words = shown.command.split()
                if len(words) < 2 or words[0] != PROGRAM or words[1] not in COMMANDS:
                    continue
                size = min(len(shown.output), LONGEST_EXAMPLE)
                if size > found.get(words[1], (0,))[0]:
                    lines = [f"$ {shown.command}", *shown.output[:LONGEST_EXAMPLE]]
                    lines += ["..."] * (len(shown.output) > LONGEST_EXAMPLE)
                    found[words[1]] = size, page, "\n".join(lines)
    return {name: (page, text) for name, (_, page, text) in found.items()}


def _example_of(name: str) -> list[str]:
    page, text = examples().get(name, (None, ""))
    if page is None:
        return []
    source = page.relative_to(ROOT / "docs") if page.is_relative_to(ROOT / "docs") else None
    title = _TITLE.search(page.read_text(encoding="utf-8")) if source else None
    more = f"From [{title[1]}](../../{source})." if title else ""
    return ["## Example", "", "```console", text, "```", "", more, ""]


def _overview() -> str:
    lines = ["---", "title: Commands", "---", "# Commands", ""]
    for title, group in GROUPS.items():
        lines += [f"## {title}", "", "| command | what it does |", "|---|---|"]
        lines += [f"| [`{name}`]({name}.md) | {_escaped(text)} |" for name, text in group.items()]
        lines.append("")
    lines += ["## What they read", "", *_prose(cli.epilog or ""), "", "## Exit codes", ""]
    # The table of the module that returns them.
    module = inspect.getdoc(inspect.getmodule(heapscope_main())) or ""
    rows = re.findall(r"^ +(\d+) +(.+)$", module.partition("Exit codes::")[2], re.MULTILINE)
    if not rows:
        raise ValueError("heapscope.cli's docstring has no table of exit codes")
    lines += ["| code | meaning |", "|---:|---|"]
    lines += [f"| {code} | {_escaped(text.replace('``', '`'))} |" for code, text in rows]
    return "\n".join([*lines, ""])


def heapscope_main() -> Any:
    """The program's entry."""
    from heapscope.cli import main

    return main


def _prose(text: str) -> Iterator[str]:
    """Paragraphs of a help text; those that click leaves as they are (``\\b``) become code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from _code(paragraph.removeprefix("\b\n"))
        else:
            yield _escaped(" ".join(paragraph.split()))
        yield ""


def _code(text: str) -> list[str]:
    return ["```sh", text, "```"]


def _escaped(text: str) -> str:
    """Options, and what a terminal shows in quotes, as code; nothing that Markdown or HTML has a use for."""
    pieces = []
    for place, piece in enumerate(
        re.split(r"(?<!\w)'([^']+)'(?!\w)|`([^`]+)`|(?<![\w-])(--?[a-z][a-z-]*)\b", text)
    ):
        if piece is None:
            continue
        kind = place % 4
        if kind == 1 and piece not in COMMANDS and not re.search(r"[ .>*/(+-]", piece):
            piece, kind = f"'{piece}'", 0
        pieces.append(_code_span(piece) if kind else _prose_span(piece))
    return "".join(pieces)


def _code_span(text: str) -> str:
    return f"<code>{_entities(text)}</code>"


def _prose_span(text: str) -> str:
    return re.sub(r"([\\*_\[\]`])", r"\\\1", _entities(text))


def _entities(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "&#124;")


# -- Python ----------------------------------------------------------------------------------------


def python_pages() -> dict[str, str]:
    """Path in the site -> Markdown with directives for mkdocstrings."""
    names = [name for name in heapscope.__all__ if name != "__version__"]
    errors = [name for name in names if _is_error(name)]
    rest = [name for name in names if name not in errors]
    functions = [name for name in rest if not inspect.isclass(getattr(heapscope, name))]
    heap = [name for name in rest if name == "Heap"]
    others = [name for name in rest if name not in functions and name not in heap]
    return {
        f"{PYTHON_FOLDER}/index.md": _python_page(
            "Python",
            "`import heapscope` costs next to nothing; what is heavy loads at first use.",
            [f"heapscope.{name}" for name in functions],
        ),
        f"{PYTHON_FOLDER}/heap.md": _python_page(
            "Heap", "One heap dump, and what it answers.", [f"heapscope.{name}" for name in heap]
        ),
        f"{PYTHON_FOLDER}/objects.md": _python_page(
            "Objects", "Sets of objects and single ones, with fields followed and decoded.", OBJECTS
        ),
        f"{PYTHON_FOLDER}/graph.md": _python_page(
            "Who keeps what alive",
            "Suspects, dominators, reachability and paths, as a heap returns them.",
            GRAPH,
        ),
        f"{PYTHON_FOLDER}/snapshots.md": _python_page(
            "Snapshots",
            "Dumps and class histograms, ordered by time.",
            [f"heapscope.{name}" for name in others],
        ),
        f"{PYTHON_FOLDER}/collector.md": _python_page(
            "Collector", "Running processes: find, watch, ask and dump their JVMs (Linux).", COLLECTOR
        ),
        f"{PYTHON_FOLDER}/errors.md": _python_page(
            "Errors",
            "Everything that heapscope raises on purpose. A message has the name, the evidence and the next "
            "step on one line.\n\n```text\n" + _error_tree() + "\n```",
            [f"heapscope.{name}" for name in errors],
        ),
    }


def _is_error(name: str) -> bool:
    value = getattr(heapscope, name)
    return inspect.isclass(value) and issubclass(value, Exception)


def _error_tree() -> str:
    """The tree as the docstring of `heapscope.errors` draws it."""
    from heapscope import errors

    tree = (inspect.getdoc(errors) or "").partition("::\n")[2]
    return inspect.cleandoc("\n".join(line for line in tree.splitlines() if line.startswith("    ")))


def _python_page(title: str, intro: str, identifiers: list[str]) -> str:
    blocks = [f"::: {identifier}" for identifier in identifiers]
    return "\n\n".join([f"---\ntitle: {title}\n---", f"# {title}", intro, *blocks, ""])
