"""JVMs in containers, made with ``unshare``: asked from the host by root, dumped, alive afterwards."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.collector import attach, processes, target_folder
from heapscope.collector.dump import collect
from heapscope.errors import AttachRefused, CollectError
from tests.support.hosts import Host, container_host
from tests.support.jvm import find_jdks, wait_until
from tests.support.killed_collect import kill_all_when_asked

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
MEGABYTES = 2
NODES = MEGABYTES * 1_000_000 // 80


@pytest.fixture(scope="module")
def may_make_containers() -> None:
    probe = ["setpriv", "--reuid=100000", "--regid=100000", "--clear-groups", "unshare", "-Urm", "true"]
    if os.geteuid() != 0 or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("making containers, a rootless one too, takes root and user namespaces")


@pytest.fixture(params=[(release, rootless) for release in RELEASES for rootless in (False, True)], ids=str)
def container(request: pytest.FixtureRequest, may_make_containers: None) -> Iterator[Host]:
    release, is_rootless = request.param
    with container_host(find_jdks()[release], MEGABYTES, is_rootless=is_rootless) as host:
        yield host


def left_in(host: Host) -> list[str]:
    names = os.listdir(f"/proc/{host.pid}/root/tmp")
    return [name for name in names if name.startswith(("heapscope", ".attach_pid"))]


def test_a_container_is_dumped_from_the_host(container: Host, tmp_path: Path) -> None:
    process = processes.get(container.pid)
    assert process.namespace_pid == 1
    assert process.attach == "signal"
    # Its /tmp is a file system of its own; in a user namespace only its own user may make files there.
    taken = collect(process, tmp_path, allow_sigquit=True)
    assert taken.facts["mode"] == "stream"
    with heapscope.open(taken.path) as heap:
        assert len(heap.objects("Ticker$Node")) == NODES
    histogram = collect(processes.get(container.pid), tmp_path, kind="histogram")
    assert re.search(rf" {NODES} +\d+ +Ticker\$Node", histogram.path.read_text())
    assert left_in(container) == []
    assert container.serves()


def test_in_a_container_a_file_goes_where_disk_is(container: Host, tmp_path: Path) -> None:
    """Its /tmp is memory, and would count against its limit; /var/tmp is disk."""
    taken = collect(processes.get(container.pid), tmp_path, stream=False, allow_sigquit=True)
    assert taken.facts["mode"] == "file"
    with heapscope.open(taken.path) as heap:
        assert len(heap.objects("Ticker$Node")) == NODES
    assert list(Path("/var/tmp").glob("heapscope-*-*-*")) == []
    assert container.serves()


@pytest.mark.usefixtures("may_make_containers")
def test_a_jvm_in_a_container_that_waits_for_a_killed_heapscope_is_found_and_let_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its FIFO keeps its name, for it does not see our processes: the next watch opens it."""
    options = ("-XX:+StartAttachListener",)
    with container_host(find_jdks()[RELEASES[-1]], MEGABYTES, *options, is_rootless=False) as host:
        kill_all_when_asked(host.pid, tmp_path, count=4)  # with watchdog, reader and writer
        waits = f"/proc/{host.pid}/task/*/wchan"
        wait_until(lambda: any("partner" in Path(each).read_text() for each in glob(waits)), "it waits")
        assert main(["ps"]) == 0
        told = f"a killed heapscope left a pipe in /tmp of process {host.pid}: a JVM may stand still there"
        assert told in capsys.readouterr().out
        assert main(["watch", str(host.pid), "--every", "1s", "--for", "0.1s", "--no-smaps"]) == 0
        assert f"left in /tmp of process {host.pid}; a JVM that stood still" in capsys.readouterr().err
        assert "version" in attach.jcmd(processes.get(host.pid), "VM.version")
        assert left_in(host) == []
        assert host.serves()


@pytest.mark.usefixtures("may_make_containers")
def test_a_container_with_memory_only_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_folder, "_FOLDERS", ("/tmp",))
    options = ("-XX:+StartAttachListener",)
    with container_host(find_jdks()[RELEASES[0]], MEGABYTES, *options, is_rootless=True) as host:
        with pytest.raises(CollectError, match="/tmp is memory"):
            collect(processes.get(host.pid), tmp_path, stream=False)
        assert host.serves()


@pytest.mark.usefixtures("may_make_containers")
def test_another_user_is_told_what_is_missing() -> None:
    """As a user who is neither the target's nor root: nothing is sent, and it is said who may."""
    options = ("-XX:+StartAttachListener",)
    with container_host(find_jdks()[RELEASES[0]], MEGABYTES, *options, is_rootless=False) as host:
        process = processes.get(host.pid)
        os.setegid(65534)
        os.seteuid(65534)
        try:
            with pytest.raises(AttachRefused, match="out of reach of this user; run as its user, or as root"):
                attach.jcmd(process, "VM.version", allow_sigquit=True)
        finally:
            os.seteuid(0)
            os.setegid(0)
        assert host.serves()
