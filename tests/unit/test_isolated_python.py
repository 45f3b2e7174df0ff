"""Processes of our own run nothing of the current directory."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope
from heapscope.isolated_python import isolated_python

PACKAGE = Path(heapscope.__file__).parent
DUMP = PACKAGE.parent / "sample_dumps" / "leak-1.hprof.gz"
STARTERS = {
    "Popen",
    "run",
    "call",
    "check_call",
    "check_output",
    "system",
    "popen",
    "execv",
    "execvp",
    "spawnv",
}
LIBRARIES = {"subprocess", "os", "multiprocessing", "pty"}


def started(source: str) -> list[str]:
    """The first argument of each call in a source that starts a process."""
    return [
        ast.unparse(node.args[0])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (
            (node.func.value.id in LIBRARIES and node.func.attr in STARTERS)
            or (node.func.value.id == "anyio" and node.func.attr in ("open_process", "run_process"))
        )
        and node.args
    ]


def test_every_python_that_is_started_is_isolated() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        name = str(path.relative_to(PACKAGE))
        if name != "fleet/run.py":  # which keeps them from it, see below
            assert "multiprocessing" not in source, f"{name}: its children import from the current directory"
        if name != "isolated_python.py":
            assert "sys.executable" not in source, f"{name}: isolated_python() starts our processes"
        if words := started(source):
            found[name] = words
    # A new place is added here when somebody has looked at what it runs.
    assert found == {
        "agent/analyst.py": ["[*_WORKER, self._settings.to_json()]"],
        "cli/demo.py": ["_command(words)", "_command(words)"],
        "cli/collect_then.py": ["['/bin/sh', '-c', command]"],  # the user's own
        "collector/attach.py": ["[*_ASK_OWNER, str(path)]"],
        "collector/channel.py": ["words"],  # the JDK's tools
        "collector/holder.py": ["[program]"],  # cat of /usr/bin or /bin, with the JVM's user
        "collector/target_user.py": ["[*_HELPER, *words]"],
        "collector/watched_dump.py": ["[*WATCHDOG, job.to_json()]", "[*_REMOVE, str(job.inside)]"],
        "kernel_build.py": ["isolated_python('heapscope.kernel_build', '--part', str(part), str(folder))"],
        "machine_code.py": ["isolated_python('heapscope.kernel_build', '--for', str(os.getpid()))"],
        "demo/cluster.py": [
            "isolated_python('heapscope.demo.worker', f'--job_name={role}', f'--task_index={index}')"
        ],
    }


def test_a_file_of_the_current_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "array.py").write_text("import os; os.mkdir('was-run')")
    (tmp_path / "heapscope").mkdir()
    (tmp_path / "heapscope/__init__.py").write_text("import os; os.mkdir('was-run')")
    environment = {**os.environ, "PYTHONPATH": ""}
    code = "import array, heapscope; print(heapscope.__file__)"
    unsafe = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (tmp_path / "was-run").is_dir(), unsafe  # it can happen
    (tmp_path / "was-run").rmdir()
    for command in ("heapscope.collector.watchdog", "heapscope.collector.target_user"):
        done = subprocess.run(
            isolated_python(command),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "IndexError" in done.stderr or "ValueError" in done.stderr, done  # it has no job
    assert not (tmp_path / "was-run").exists()


def test_the_workers_of_a_fleet_run_nothing_of_the_current_directory(tmp_path: Path) -> None:
    for name in ("multiprocessing", "pickle", "selectors", "signal"):
        (tmp_path / f"{name}.py").write_text(f"import os; os.mkdir('{name}-was-run')")
    code = "import sys; del sys.path[0]; from heapscope.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "fleet", "run", str(DUMP), "-o", "fleet", "--workers", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("*-was-run"))
    assert list((tmp_path / "fleet").glob("*/snapshots.parquet"))


def test_folders_of_others_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, open_to_all = tmp_path / "ours", tmp_path / "open"
    for folder in (ours, open_to_all):
        folder.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr(sys, "path", ["", "relative", str(open_to_all), str(ours)])
    handed_on = isolated_python("module")[5].split(":")
    assert handed_on[0] == str(ours)
    assert str(open_to_all) not in handed_on
