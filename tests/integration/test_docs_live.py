"""Pages about running processes: their commands are run on a real worker, and print what is shown.

Process 4711 of role ``worker`` and user ``trainer`` in the documents is one that is started here.
Hours become a second; figures are not compared, everything else is.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapscope.cli import main
from tests.support.documents import (
    LIVE_COMMANDS,
    PAGES,
    ROOT,
    blocks_in,
    has_shape,
    is_live,
    name_of,
    plain_arguments,
    run_in_shell,
    shown_in,
)
from tests.support.jvm import find_jdks

pytestmark = pytest.mark.jvm
TEXTS = {name_of(page): page.read_text(encoding="utf-8") for page in PAGES}
LIVE = [name for name, text in TEXTS.items() if is_live(text)]
# Of this run alone: another worker on the machine is none of ours.
ROLE = f"docs{os.getpid()}"


@pytest.fixture(scope="module")
def pid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    libhdfs = tmp_path_factory.mktemp("lib") / "libhdfs.so"
    libhdfs.write_bytes(b"\0" * 4096)
    libjvm = find_jdks()[min(find_jdks())].home / "lib/server/libjvm.so"
    command = [sys.executable, "-m", "tests.support.worker", str(libjvm), str(libhdfs)]
    command += ["-Xmx64m", "-XX:+UseSerialGC", "-XX:+StartAttachListener"]
    process = subprocess.Popen(
        [*command, f"--job_name={ROLE}", "--task_index=3"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "KERB_TICKET_CACHE_PATH": "/tmp/krb5cc_1000"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def quick(arguments: list[str], pid: int) -> list[str]:
    """The same command for the worker of this test, in seconds."""
    instead = {"--role": ROLE, "--every": "0.2s", "--for": "1s", "--count": "2", "4711": str(pid)}
    done: list[str] = []
    for word in arguments:
        if done and done[-1] in instead:
            word = instead[done[-1]]
        elif word == "4711":
            word = str(pid)
        done.append("rss>1M" if word.startswith("rss>") else word)
    if "--trigger" in done and "--every" not in done:
        done += ["--every", "0.2s"]
    return done


def as_shown(text: str, pid: int) -> str:
    """What was printed, in the names of the documents."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    text = text.replace(ROLE, "worker").replace(str(pid), "4711").replace("tests.support.worker", "train.py")
    return re.sub(rf"\b{user}\b", "trainer", text)


@pytest.mark.parametrize("name", LIVE)
def test_commands_on_a_running_process(
    name: str, pid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sample_dumps").symlink_to(ROOT / "sample_dumps")
    monkeypatch.chdir(tmp_path)
    for shown in shown_in(TEXTS[name]):
        plain = plain_arguments(shown.command)
        started = time.monotonic()
        if plain is None:
            assert not set(shown.command.split()) & set(LIVE_COMMANDS), "in words, not through a shell"
            done = run_in_shell(shown.command, tmp_path)
            code, out, err = done.returncode, done.stdout, done.stderr
        else:
            code = main(quick(plain, pid))
            out, err = capsys.readouterr()
        assert code == 0, f"$ {shown.command}\n{out}{err}"
        assert time.monotonic() - started < 20, f"$ {shown.command} is too slow for a test"
        # Hours are watched for a second here, and a second is sure of nothing.
        printed = as_shown(out, pid).replace("confidence low;", "confidence high;")
        assert has_shape(shown.output, printed), f"$ {shown.command} prints now:\n{printed}"


def test_python_for_the_process_itself_runs_in_one_with_a_jvm(tmp_path: Path) -> None:
    blocks = [
        block.text
        for text in TEXTS.values()
        for block in blocks_in(text)
        if block.language == "python" and "collect_self" in block.text
    ]
    assert blocks
    libjvm = find_jdks()[min(find_jdks())].home / "lib/server/libjvm.so"
    start = (
        f"from tests.support.embedding import create_jvm; create_jvm({str(libjvm)!r}, ['-Xmx64m', '-Xrs'])"
    )
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-c", f"{start}\n{block}"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(tmp_path.rglob("*.histogram.txt"))
        assert list(tmp_path.rglob("*.hprof.zst"))


def test_the_guides_for_running_processes_are_among_them() -> None:
    assert {"docs/how-to/watch-memory.md", "docs/how-to/no-jdk.md"} <= set(LIVE)


def test_nobody_elses_process_is_touched() -> None:
    arguments = quick(["collect", "--role", "worker", "4711", "--for", "6h", "--trigger", "rss>8G"], 12)
    assert arguments == [
        "collect", "--role", ROLE, "12", "--for", "1s", "--trigger", "rss>1M", "--every", "0.2s"
    ]  # fmt: skip
    for name in LIVE:
        for shown in shown_in(TEXTS[name]):
            words = shown.command.split()
            if words[1] in ("watch", "collect"):
                assert "4711" in words or "--role" in words, shown.command
