"""The DaemonSet of the documents, with its capabilities and no other, beside a pod made of namespaces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosts import Host, pod_host
from tests.support.jvm import find_jdks

pytestmark = pytest.mark.jvm
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/containers.md").read_text()


def capabilities(pattern: str) -> str:
    """Those of the page, as setpriv writes them."""
    found = re.search(pattern, PAGE)
    assert found is not None
    return ",".join(["-all", *(f"+{name.strip().lower()}" for name in found[1].split(","))])


WATCHING = capabilities(r"\n +add: \[(.+)\]")
COLLECTING = capabilities(r"# to collect: \[(.+)\]")


@pytest.fixture(scope="module")
def pod() -> Iterator[Host]:
    probe = ["unshare", "--pid", "--mount", "--uts", "--fork", "true"]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("making a pod of namespaces takes root")
    options = ("-XX:+StartAttachListener",)
    with pod_host(find_jdks()[min(find_jdks())], 2, *options, name="trainer-0") as host:
        yield host


def heapscope(allowed: str, *words: str) -> subprocess.CompletedProcess[str]:
    """heapscope as the DaemonSet's container runs it: root with a few capabilities."""
    limits = ["setpriv", "--bounding-set", allowed, "--inh-caps", allowed, "--no-new-privs"]
    return subprocess.run(
        [*limits, sys.executable, "-m", "heapscope", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def test_a_node_is_watched_with_two_capabilities(pod: Host, tmp_path: Path) -> None:
    done = heapscope(WATCHING, "ps", "--json")
    (found,) = [each for each in json.loads(done.stdout)["processes"] if each["pid"] == pod.pid]
    assert (found["pod"], found["namespace_pid"], found["user"]) == ("trainer-0", 1, "nobody")
    assert found["heap"] is not None
    assert found["unreadable"] == []
    prom, csv = tmp_path / "h.prom", tmp_path / "w.csv"
    words = ["--every", "0.1s", "--for", "0.2s", "--textfile", str(prom), "-o", str(csv)]
    done = heapscope(WATCHING, "watch", str(pod.pid), *words)
    assert done.returncode == 0, done.stderr
    assert re.search(r'^heapscope_heap_resident_bytes\{.*pod="trainer-0".*\} \d', prom.read_text(), re.M)
    assert csv.stat().st_mode & 0o777 == 0o600
    assert pod.serves()


def test_dumps_take_those_of_the_comment_and_name_the_pod(pod: Host, tmp_path: Path) -> None:
    assert heapscope(WATCHING, "collect", str(pod.pid), "-o", str(tmp_path / "none")).returncode == 3
    done = heapscope(COLLECTING, "collect", str(pod.pid), "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (sidecar,) = tmp_path.glob("*.json")
    assert json.loads(sidecar.read_text())["process"]["pod"] == "trainer-0"
    assert pod.serves()


def test_without_capabilities_nothing_is_seen(pod: Host) -> None:
    done = heapscope("-all", "watch", str(pod.pid), "--for", "0.2s")
    assert done.returncode == 3
    assert "no libjvm in it that this user may see" in done.stderr
