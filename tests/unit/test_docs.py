"""The documents: every command that they show runs, and prints what they say it prints.

`tests.support.documents` says which block is held against what.  Pages about running processes have
their commands run in ``tests/integration/test_docs_live.py``.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.cli import main
from heapscope.cli.commands import COMMANDS
from tests.support.documents import (
    PAGES,
    ROOT,
    Block,
    Shown,
    blocks_in,
    commands_in,
    has_shape,
    inline_code,
    is_live,
    is_output,
    name_of,
    options_of,
    parse,
    plain_arguments,
    run_in_shell,
    shown_in,
    write_files,
)

TEXTS = {name_of(page): page.read_text(encoding="utf-8") for page in PAGES}
RUN_HERE = [name for name, text in TEXTS.items() if list(shown_in(text)) and not is_live(text)]
WITH_PYTHON = [name for name, text in TEXTS.items() if any(b.language == "python" for b in blocks_in(text))]
# Options in prose that are other programs'.
NOT_OURS = {
    *("--binaryheap", "--core", "--glob", "--histo", "--job_name", "--memory-limit", "--nworkers"),
    *("--task_index", "--target", "--shared"),
}
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sample_dumps").symlink_to(ROOT / "sample_dumps")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Command -> exit code and output, of commands that read sample_dumps alone: several pages show the same.
_ran: dict[str, tuple[int, str, str]] = {}


def ran(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str], *, once: bool
) -> tuple[int, str, str]:
    if once and command in _ran:
        return _ran[command]
    arguments = plain_arguments(command)
    if arguments is None:
        done = run_in_shell(command, folder)
        result = done.returncode, done.stdout, done.stderr
    else:
        result = main(arguments), *capsys.readouterr()
    if once:
        _ran[command] = result
    return result


@pytest.mark.parametrize("name", RUN_HERE)
def test_commands_print_what_is_shown(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_files(TEXTS[name], folder)
    has_files = any(block.title for block in blocks_in(TEXTS[name]))
    for shown in shown_in(TEXTS[name]):
        writes = {"-o", "--output", "--junit", ">", "sed"} & set(shown.command.split())
        code, out, err = ran(shown.command, folder, capsys, once=not has_files and not writes)
        assert code == 0, f"$ {shown.command}\n{out}{err}"
        if shown.output:
            assert is_output(shown.output, out), f"$ {shown.command} prints now:\n{out}"


def test_the_pages_show_commands() -> None:
    assert {"README.md", "docs/tutorial.md", "docs/how-to/read-a-diagnosis.md"} <= set(RUN_HERE)
    assert len(list(shown_in(TEXTS["README.md"]))) >= 2
    assert len(list(shown_in(TEXTS["docs/how-to/commands.md"]))) >= 12


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_python_of_the_documents_runs(name: str, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_in(TEXTS[name]):
        if block.language == "python" and "collect_self" not in block.text:
            # Errors show the page's own lines.
            code = "\n" * block.line + block.text
            exec(compile(code, str(ROOT / name), "exec"), namespace)


def test_the_documents_show_python() -> None:
    assert {"README.md", "docs/tutorial.md"} <= set(WITH_PYTHON)


@pytest.mark.parametrize("name", TEXTS)
def test_commands_that_cannot_be_run_here_are_valid(name: str) -> None:
    for block in blocks_in(TEXTS[name]):
        if block.language in ("console", "python") or block.title:
            continue
        for arguments in commands_in(block.text, is_shell=block.language != "ini"):
            try:
                parse(arguments)
            except click.ClickException as error:
                pytest.fail(f"{name}, block at line {block.line}: {arguments}: {error.format_message()}")


def test_the_how_to_guides_have_such_commands() -> None:
    found = [
        arguments[0]
        for name, text in TEXTS.items()
        for block in blocks_in(text)
        if block.language in ("sh", "ini", "text") and name.startswith("docs/how-to/")
        for arguments in commands_in(block.text, is_shell=block.language != "ini")
    ]
    assert {"ps", "watch", "collect"} <= set(found)
    assert len(found) >= 8


@pytest.mark.parametrize("name", TEXTS)
def test_options_in_prose_exist(name: str) -> None:
    for code in inline_code(TEXTS[name]):
        words = code.split()
        own = set()
        if words[0] == "heapscope" and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in COMMANDS, f"{name}: `{code}`"
            own = options_of(words[1])
        for word in words:
            option = word.partition("=")[0]
            if re.fullmatch(r"--[a-z][\w-]*", option) and option not in NOT_OURS:
                assert option in (own or options_of()), f"{name}: `{code}`: no option {option}"


def test_no_block_is_without_a_language() -> None:
    for name, text in TEXTS.items():
        if name.startswith("docs/"):
            assert [block.line for block in blocks_in(text) if not block.language] == [], name


def test_the_number_of_known_leaks_is_that_of_the_catalogue() -> None:
    said = re.findall(r"(\d+) known leaks", TEXTS["docs/how-to/commands.md"])
    assert said == [str(len(load_catalogue()))]


def test_the_verdicts_of_watch_are_named_as_it_names_them() -> None:
    source = (ROOT / "heapscope" / "reporter" / "memory_text.py").read_text(encoding="utf-8")
    table = re.findall(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", TEXTS["docs/how-to/watch-memory.md"], re.M)
    titles = [title for title in table if title not in ("verdict", "---")]
    assert len(titles) >= 7
    assert [title for title in titles if title not in source] == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md", "sample_dumps/README.md", *TEXTS])
def test_links_to_files_lead_somewhere(name: str) -> None:
    path = ROOT / name
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    # Pages of the reference are made when the site is built; tests/integration/test_site.py follows those.
    made = re.compile(r"(?:\.\./)?(?:reference/)?(?:(?:commands|python)/[a-z-]+|known-leaks)\.md")
    assert [link for link in links if not (path.parent / link).exists() and not made.fullmatch(link)] == []


def test_every_picture_is_made_by_the_script_and_shown() -> None:
    from docs._site.pictures import PICTURES

    shown = {
        Path(target).stem
        for path in PAGES
        for target in re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", path.read_text(encoding="utf-8"))
    }
    assert {path.stem for path in (ROOT / "docs").rglob("*.png")} == set(PICTURES) == shown


def test_make_targets_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set()
    for path in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        named |= set(re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"test", "help", "docs"} <= named
    assert named <= targets


def test_the_version_has_its_changes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE), "no version in CHANGELOG.md"


# -- the measure itself ----------------------------------------------------------------------------


def test_blocks_are_read_as_they_are_written() -> None:
    text = "```console\n$ heapscope a \\\n    b\none\n\n...\nlast\n\n$ heapscope c\n```\n"
    text += "1. item\n\n    ```python\n    if x:\n        y\n    ```\n"
    assert list(shown_in(text)) == [
        Shown("heapscope a b", ("one", "", "...", "last")),
        Shown("heapscope c", ()),
    ]
    assert list(blocks_in(text))[1] == Block("python", "if x:\n    y\n", 13)
    assert is_output(("one", "", "...", "last"), "one\n\n2\n3\nlast\n")
    assert is_output(("one", "...", "last"), "one  \nlast\n")
    assert not is_output(("one", "...", "last"), "one\n2\n")
    assert not is_output(("one",), "one\n2\n")


def test_figures_are_left_out_and_nothing_else() -> None:
    shown = ("4711  worker:3  17.0.15+6  0B/67.1MB/67.1MB  2.76 GB  2 s  yes", "    resident +1.2 MB in 6 h")
    assert has_shape(
        shown, "9 worker:12  25.0.3+9 1.2MB/3kB/67MB 900 kB 1 h 2 min  yes\n resident 0 B in 1 s\n"
    )
    assert not has_shape(
        shown, "9 worker:12  25.0.3+9 1MB/3kB/67MB 900 kB 1 h 2 min  no\n resident 0 B in 1 s\n"
    )
    assert not has_shape(shown, "9 worker:12  25.0.3+9 1MB/3kB/67MB 900 kB 1 h 2 min  yes\n")


def test_commands_are_found_wherever_they_stand() -> None:
    text = (
        "ExecStart=/opt/bin/heapscope collect --trigger rss>8G -o x\n"
        "17 * * * * heapscope watch --every 30s >/dev/null\n"
        "kubectl exec pod -- heapscope ps | less\n"
        "pip install heapscope\n"
        "docker run image/heapscope heapscope \\\n  info x\n"
    )
    assert list(commands_in(text, is_shell=True))[1:] == [["watch", "--every", "30s"], ["ps"], ["info", "x"]]
    assert next(commands_in(text, is_shell=False)) == ["collect", "--trigger", "rss>8G", "-o", "x"]
    for wrong in (
        ["colect"],
        ["ps", "--rolle", "x"],
        ["collect", "1", "--kind", "x"],
        ["watch", "--every", "soon"],
        ["--hlp"],
    ):
        with pytest.raises(click.ClickException):
            parse(wrong)


def test_a_shown_command_is_really_run(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "golden" / "histograms" / "jcmd-17.txt", tmp_path / "a.txt")
    done = run_in_shell("heapscope histogram a.txt --top 1 | tail -n 1", tmp_path)
    assert done.stdout == "1 of 225 classes; --top 0 shows all\n"
    assert run_in_shell("heapscope histogram missing.txt", tmp_path).returncode == 3


def test_quoted_patterns_are_not_expanded(folder: Path) -> None:
    assert plain_arguments("heapscope trend sample_dumps/healthy-*.gz --class 'a.*'") == [
        "trend",
        "sample_dumps/healthy-1.hprof.gz",
        "sample_dumps/healthy-2.hprof.gz",
        "--class",
        "a.*",
    ]
    assert plain_arguments("heapscope collect 1 --trigger 'rss>8G'") == [
        "collect",
        "1",
        "--trigger",
        "rss>8G",
    ]
    assert plain_arguments("heapscope ps | less") is None
