"""The pytest plugin in runs of its own: a JVM in the process of the tests, one in a child of it, and none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import heapscope
from tests.support.hosts import libjvm
from tests.support.jvm import compile_java, find_jdks

ROOT = Path(heapscope.__file__).parents[1]
PLUGIN = "heapscope.testing.plugin"

WITH_JVMS = """
import os, subprocess
import jpype, pytest
import heapscope

held = []
child = None
calls = []
Thread, AtomicLong = None, None


def setup_module():
    global Deque, child
    jpype.startJVM(os.environ["LIBJVM"])
    Deque = jpype.JClass("java.util.ArrayDeque")
    held.append(Deque())  # its class is loaded
    command = [os.environ["JAVA"], "-Xmx64m", "-cp", os.environ["CLASSES"], "Grower", "1"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait()


def wait():
    while child.stdout.readline() != "ready\\n":
        pass


def grow(count):
    child.stdin.write(f"{count}\\n")
    child.stdin.flush()
    wait()


def teardown_module():
    child.kill()
    child.communicate()


@pytest.mark.limit_growth("java.util.AbstractCollection+", 2)
@pytest.mark.limit_growth("java.util.ArrayDeque")
def test_leaks():
    held.extend(Deque() for _ in range(3))


@pytest.mark.limit_growth("java.util.ArrayDeque", 0)
def test_gives_back():
    mine = [Deque() for _ in range(10)]
    assert len(mine) == 10


@pytest.mark.limit_growth("java.util.ArrayDeque", 0, warm_up=1)
def test_fills_a_cache_once():
    calls.append(None)
    if len(calls) == 1:
        held.append(Deque())


@pytest.mark.limit_growth("java.util.ArrayDeqe")
def test_misspelt():
    pass


@pytest.mark.limit_growth("com.acme.Never+", allow_absent=True)
def test_absent():
    assert len(calls) == 2


def test_fixture(jvm_heap):
    before = jvm_heap.count("java.util.ArrayDeque")
    with pytest.raises(AssertionError, match="1 more live instance of ArrayDeque"):
        with jvm_heap.watching_growth("ArrayDeque"):
            held.append(Deque())
    assert jvm_heap.pid == os.getpid()
    assert jvm_heap.count("java.util.ArrayDeque") == before + 1
    histogram = jvm_heap.class_histogram().set_index("class_name")
    assert histogram.loc["java.util.ArrayDeque", "instance_count"] == before + 1


def test_a_child_by_its_pid(jvm_heap, tmp_path):
    other = jvm_heap.of(child.pid)
    grow(5)
    assert other.count("Grower$Session") == 5
    with heapscope.watching_growth("Grower$Session", 4, pid=child.pid):
        grow(4)
    with pytest.raises(heapscope.GrowthExceeded) as failed:
        with heapscope.watching_growth("Grower$Session", 4, pid=child.pid, dump_to=tmp_path):
            grow(6)
    text = str(failed.value)
    assert "9 -> 15" in text and "Grower.REGISTRY (static)" in text, text
    (dump,) = tmp_path.glob("*.hprof.zst")
    assert str(dump) in text
    with heapscope.open(dump) as heap:
        assert len(heap.objects("Grower$Session")) == 15
"""

WITHOUT_JVM = """
import sys
import pytest

HEAVY = {"numpy", "numba", "llvmlite", "pandas", "matplotlib", "rich", "jinja2", "jpype"}


def test_nothing_is_imported_for_those_who_do_not_ask(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("heapscope.testing.plugin")
    assert not HEAVY & set(sys.modules)
    assert "heapscope.testing.jvm_heap" not in sys.modules


@pytest.mark.limit_growth("a.B")
def test_without_a_jvm():
    pass
"""


def run(folder: Path, text: str, **environment: str) -> tuple[str, str]:
    """Output, and the letters of the tests."""
    (folder / "test_inner.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    words = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*words, f"--basetemp={folder / 'base'}", "test_inner.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    letters = re.match(r"[.FEsx]+", done.stdout)
    assert letters is not None, done.stdout + done.stderr
    return done.stdout, letters[0]


def test_the_entry_point_names_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"heapscope": PLUGIN}


def test_it_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    output, letters = run(tmp_path, WITHOUT_JVM)
    assert letters == ".F", output
    assert "limit_growth: no JVM runs in this process" in output
    assert "During handling" not in output


@pytest.mark.jvm
def test_jvms_in_the_process_and_in_a_child(tmp_path: Path) -> None:
    release = max(find_jdks())
    jdk = find_jdks()[release]
    output, letters = run(
        tmp_path,
        WITH_JVMS,
        LIBJVM=str(libjvm(jdk)),
        JAVA=str(jdk.home / "bin" / "java"),
        CLASSES=str(compile_java("Grower")),
    )
    assert letters == "F..F...", output
    failed = output[: output.index("test_misspelt")]
    assert re.search(r"3 more live instances of java\.util\.ArrayDeque than before, none is allowed", failed)
    assert re.search(
        r"3 more live instances of java\.util\.AbstractCollection\+ than before, 2 allowed", failed
    )
    assert re.search(
        r"instances of java\.util\.ArrayDeque, old and new, retain .*, held by:\n +4 x JNI global", failed
    )
    assert "It is no known leak." in failed
    (dump,) = (tmp_path / "base").glob("heapscope0/*.hprof.zst")
    assert f"The heap dump: {dump}" in failed
    assert "limit_growth: 'java.util.ArrayDeqe' not found in" in output
    assert "nearest: java.util.ArrayDeque" in output
