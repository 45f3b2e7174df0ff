"""Flame graphs, opened by the programs that they are for, where those are installed."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.heap.retention.class_paths import find_class_paths
from heapscope.progress import no_progress
from heapscope.query.profiles import Profile, Weights, write_profile
from tests.support.browser import chromium

SAMPLES = Path(heapscope.__file__).parent.parent / "sample_dumps"
SECONDS = 60


@pytest.fixture(scope="module")
def weights() -> tuple[Weights, Weights]:
    """Of a heap before and after it leaked."""
    found = []
    for number in (1, 4):
        with heapscope.open(SAMPLES / f"leak-{number}.hprof.gz", no_progress) as heap:
            found.append(find_class_paths(heap.graph).weights())
    return found[0], found[1]


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go (Debian: apt-get install golang-go)")
@pytest.mark.parametrize("is_difference", [False, True])
def test_pprof_adds_up_to_the_heap(
    is_difference: bool, weights: tuple[Weights, Weights], tmp_path: Path
) -> None:
    before, after = weights
    path = tmp_path / "heap.pb.gz"
    path.write_bytes(write_profile("pprof", "heap", after, before if is_difference else None))
    done = subprocess.run(
        ["go", "tool", "pprof", "-top", "-unit=B", "-nodefraction=0", str(path)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (total,) = re.findall(r"of (\d+)B total", done.stdout)
    # Of a difference pprof adds up what grew and what shrank.
    paths = {*before, *after} if is_difference else set(after)
    sizes = [after.get(path, 0) - (before.get(path, 0) if is_difference else 0) for path in paths]
    assert int(total) == sum(map(abs, sizes)) > 0
    assert "org.apache.hadoop.fs.FileSystem$Cache$Key" in done.stdout


@pytest.mark.skipif(
    shutil.which("flamegraph.pl") is None, reason="no flamegraph.pl of brendangregg/FlameGraph"
)
@pytest.mark.parametrize("is_difference", [False, True])
def test_flamegraph_draws_the_whole_heap(is_difference: bool, weights: tuple[Weights, Weights]) -> None:
    before, after = weights
    folded = write_profile("folded", "heap", after, before if is_difference else None)
    done = subprocess.run(
        ["flamegraph.pl", "--countname=bytes"],
        input=folded,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    picture = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"<title>all ({sum(after.values()):,} bytes, 100%)" in picture
    of_systems = re.findall(r"<title>org\.apache\.hadoop\.hdfs\.DistributedFileSystem \(([^)]*)\)", picture)
    assert of_systems
    assert all(("; +" in each) == is_difference for each in of_systems)  # it grew


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from chromium(tmp_path_factory.mktemp("chromium"))


@pytest.mark.chromium
@pytest.mark.skipif(shutil.which("speedscope") is None, reason="no speedscope (npm install -g speedscope)")
@pytest.mark.parametrize("to", ["speedscope", "folded", "pprof"])
def test_speedscope_opens_it(
    to: Profile, weights: tuple[Weights, Weights], tmp_path: Path, browser: Any
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    installed = Path(shutil.which("speedscope") or "").resolve().parent.parent / "dist" / "release"
    site = tmp_path / "site"
    shutil.copytree(installed, site)
    (site / "heap").write_bytes(write_profile(to, "the heap", weights[1]))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get("about:blank")
        browser.get(f"http://127.0.0.1:{server.server_port}/index.html#profileURL=/heap")
        # It shows the name of what it has opened; what it cannot read it says instead.
        WebDriverWait(browser, SECONDS).until(lambda one: "heap" in one.title)
    finally:
        server.shutdown()
        server.server_close()
