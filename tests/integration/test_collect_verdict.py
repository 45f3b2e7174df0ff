"""A verdict without a dump, of real JVMs: the figures of a file dump, and no byte of the heap on any disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope
from heapscope.cache import kernel_cache_dir
from heapscope.cli import main
from tests.support.hosts import left_in_tmp
from tests.support.jvm import find_jdks, java

pytestmark = pytest.mark.jvm
SECRET = "hunter2-planted-where-nobody-looks"
OPTIONS = ("-XX:+StartAttachListener", "-XX:+UseSerialGC", f"-Dplanted={SECRET}")
STACK_CHUNK = "jdk.internal.vm.StackChunk"
# Names that a program opens to write to, its path in group 1.
_OPENED = re.compile(
    r'(?:open|openat|openat2|creat)\((?:AT_FDCWD(?:<[^>]*>)?, |\d+(?:<[^>]*>)?, )?"([^"]+)", [^)]*'
    r"O_(?:WRONLY|RDWR|CREAT|TMPFILE)[^)]*\) += \d+"
)
# Opened to write to, and no place for a heap: devices, /proc, memory, the machine code of our own loops.
_HARMLESS = re.compile(r"/dev/(?:null|tty)|/proc/.*|.*/kernels/.*|.*/__pycache__/.*")


def histogram_of(path: Path) -> dict[str, tuple[int, int]]:
    (snapshot,) = heapscope.snapshots(path)
    return {
        row["class_name"]: (row["instance_count"], row["shallow_bytes"]) for row in snapshot.histogram.rows()
    }


@pytest.mark.parametrize(("release", "memory"), [(min(find_jdks()), "1G"), (max(find_jdks()), "8M")])
def test_it_has_the_figures_of_a_file_dump(
    release: int, memory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the dump is held or counted as it comes; compact headers are a layout that names tell late."""
    compact = ["-XX:+UseCompactObjectHeaders"] if release >= 25 and memory == "8M" else []
    with java(find_jdks()[release], "Zoo", *OPTIONS, *compact) as jvm:
        jvm.quiet_dump(tmp_path / "truth.hprof")
        words = ["collect", str(jvm.pid), "-o", str(tmp_path / "out"), "--kind", "verdict"]
        code = main([*words, "--memory", memory, "--then", 'cp "$HEAPSCOPE_VERDICT" ' + str(tmp_path)])
        assert code == 0, capsys.readouterr().err
        jvm.dump(tmp_path / "after.hprof")
    told = capsys.readouterr().out
    (verdict,) = (tmp_path / "out").glob("*.verdict.json")
    assert (tmp_path / verdict.name).read_bytes() == verdict.read_bytes()
    answer = json.loads(verdict.read_text())
    ours = histogram_of(tmp_path / "out")
    before, after = (histogram_of(tmp_path / name) for name in ("truth.hprof", "after.hprof"))
    # What the JVM itself does between two dumps, of some classes of its own.
    moving = {name for name in before if before[name] != after.get(name)}
    if memory == "8M" and STACK_CHUNK in before:
        assert before[STACK_CHUNK][0] == ours[STACK_CHUNK][0]
        assert f"{STACK_CHUNK} is counted without the stacks" in answer["notes"][0]
        moving.add(STACK_CHUNK)
    assert {name for name in before if before[name] != ours.get(name)} <= moving
    assert len(moving) < len(before) / 20
    assert answer["object_count"] == sum(count for count, _ in ours.values())
    if memory == "1G":
        assert answer["diagnosis"]["headline"] in told
        assert answer["left_out"] == ""
    else:
        assert answer["diagnosis"] is None
        assert "class histogram only: the dump is larger than" in told
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert not left_in_tmp()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("release", [max(find_jdks())])
def test_no_byte_of_the_heap_gets_on_a_disk(release: int, tmp_path: Path) -> None:
    """All files that any of the processes opened to write to, the JVM's too, are the answer's own."""
    cache, temporary, out, log = (tmp_path / name for name in ("cache", "temporary", "out", "log"))
    for folder in (cache, temporary, log):
        folder.mkdir()
    kernels = kernel_cache_dir()
    environment = {
        **os.environ,
        "HEAPSCOPE_CACHE_DIR": str(cache),
        "NUMBA_CACHE_DIR": kernels,
        "TMPDIR": str(temporary),
    }
    trace = ["strace", "-f", "-ff", "-o", str(log / "trace"), "-s", "4096"]
    trace += ["-e", "trace=open,openat,openat2,creat"]
    with java(find_jdks()[release], "Zoo", *OPTIONS) as jvm:
        watcher = subprocess.Popen([*trace, "-p", str(jvm.pid)], stderr=subprocess.PIPE, text=True)
        assert watcher.stderr is not None
        try:
            assert "attached" in watcher.stderr.readline()
            words = [sys.executable, "-m", "heapscope", "collect", str(jvm.pid), "--kind", "verdict"]
            words += ["-o", str(out), "--memory", "1G", "--max-pause", "300s"]
            done = subprocess.run(
                [*trace, "--seccomp-bpf", *words],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        finally:
            watcher.terminate()
            watcher.communicate()
    opened = [path for file in log.iterdir() for path in _OPENED.findall(file.read_text(errors="replace"))]
    written = {path for path in opened if not _HARMLESS.fullmatch(path)}
    assert any(path.endswith("dump.hprof") for path in written)  # the JVM opened its FIFO
    fifos = {
        path for path in written if re.search(r"heapscope-[\w-]+/dump\.hprof(?:\.p0(?:\.empty)?)?$", path)
    }
    # Our own files are made in the folder that is open, by their names alone.
    own = re.compile(r"\.jvm\.[\w.]+\.(?:histogram\.txt|json)\.part")
    answers = {path for path in written - fifos if Path(path).parent == out or own.fullmatch(path)}
    assert written - fifos - answers == set()
    assert {Path(path).name.partition("Z.")[2] for path in answers} >= {"histogram.txt.part"}
    assert sum(path.stat().st_size for path in out.iterdir()) < 200_000
    assert [path for folder in (cache, temporary) for path in folder.rglob("*") if path.is_file()] == []


def test_a_series_of_verdicts_is_read_as_class_histograms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with java(find_jdks()[min(find_jdks())], "Zoo", *OPTIONS) as jvm:
        words = ["collect", str(jvm.pid), "-o", str(tmp_path / "out"), "--kind", "verdict", "--memory", "8M"]
        assert main([*words, "--every", "0.1s", "--count", "2"]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 6
    capsys.readouterr()
    assert main(["growth", str(tmp_path / "out")]) == 0
    assert main(["diagnose", str(tmp_path / "out"), "--json"]) == 0
    assert main(["check", str(tmp_path / "out"), "--max", "java.lang.String <= 1000000"]) == 0
