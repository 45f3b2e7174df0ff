"""Snapshots of JVMs in all kinds of hosts, by all methods: whole, and the host serves afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.collector import attach, channel, part_file, processes, target_folder
from heapscope.collector.disk import Disk
from heapscope.collector.dump import collect
from heapscope.errors import AttachRefused, AttachTimeout, CollectError
from tests.support.hosts import Host, c_host, java_host, jpype_host, left_in_tmp
from tests.support.jvm import fetch_jdk, find_jdks

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
LISTENS = "-XX:+StartAttachListener"
SMALL = 2


def node_count(path: Path) -> int:
    with heapscope.open(path) as heap:
        return len(heap.objects("Ticker$Node"))


def nodes(megabytes: int) -> int:
    return megabytes * 1_000_000 // 80


def leftovers(*folders: Path) -> list[Path]:
    """Temporary files and folders of heapscope, in /tmp and in folders of snapshots."""
    return [*left_in_tmp(), *(path for folder in folders for path in folder.glob(".*"))]


@pytest.fixture(params=["java", "jpype", "c"])
def embedded(request: pytest.FixtureRequest) -> Iterator[Host]:
    jdk = find_jdks()[RELEASES[-1 if request.param == "jpype" else 0]]
    hosts = {
        "java": lambda: java_host(jdk, SMALL),
        "jpype": lambda: jpype_host(jdk, SMALL),
        "c": lambda: c_host(jdk, "run", SMALL),
    }
    with hosts[request.param]() as host:
        yield host


def test_a_jvm_is_dumped_in_every_host(embedded: Host, tmp_path: Path) -> None:
    process = processes.get(embedded.pid)
    # The main thread of a host blocks SIGQUIT, as all that HotSpot knows; its own VM Thread does not.
    assert process.attach == "signal"
    with pytest.raises(AttachRefused, match="--allow-sigquit"):
        collect(process, tmp_path)
    taken = collect(process, tmp_path, allow_sigquit=True)
    assert node_count(taken.path) == nodes(SMALL)
    assert taken.facts["mode"] == "stream"
    histogram = collect(processes.get(embedded.pid), tmp_path, kind="histogram")
    assert re.search(rf" {nodes(SMALL)} +\d+ +Ticker\$Node", histogram.path.read_text())
    assert embedded.serves()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("release", [11, 21])
def test_releases_between_are_streamed_and_filed(release: int, tmp_path: Path) -> None:
    """11 is the first that streams, 21 the last that writes one FIFO (and the first of parallel dumps)."""
    with java_host(fetch_jdk(release), SMALL, LISTENS) as host:
        for stream, live in ((True, True), (True, False), (False, True)):
            taken = collect(processes.get(host.pid), tmp_path, stream=stream, live=live)
            assert taken.facts["mode"] == ("stream" if stream else "file")
            assert node_count(taken.path) == nodes(SMALL)
        histogram = collect(processes.get(host.pid), tmp_path, kind="histogram")
        assert re.search(rf" {nodes(SMALL)} +\d+ +Ticker\$Node", histogram.path.read_text())
        assert host.serves()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("method", ["jcmd", "jmap"])
@pytest.mark.parametrize("release", RELEASES)
def test_the_jdks_tools_do_it_when_asked_for(
    release: int, method: channel.Method, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with java_host(find_jdks()[release], SMALL) as host:
        refused = ["collect", str(host.pid), "-o", str(tmp_path), "--method", method]
        assert main(refused) == 3  # the tool would signal, so it is not even run
        assert "--allow-sigquit" in capsys.readouterr().err
        assert processes.get(host.pid).attach == "signal"
        for kind in ("dump", "histogram"):
            assert main([*refused, "--allow-sigquit", "--kind", kind]) == 0
        sidecars = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
        assert {facts["method"] for facts in sidecars} == {method}
        (path,) = tmp_path.glob("*.zst")
        assert node_count(path) == nodes(SMALL)
        (text,) = tmp_path.glob("*.txt")
        assert re.search(rf" {nodes(SMALL)} +\d+ +Ticker\$Node", text.read_text())
        said = capsys.readouterr().err
        assert ("jmap writes no existing file" in said) == (method == "jmap")
        assert host.serves()
        assert leftovers(tmp_path) == []


def test_jcmd_steps_in_where_only_that_is_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        # A later JDK may give up version 1 of the protocol: then the answer is its own error 101.
        monkeypatch.setattr(attach, "_encoded", lambda command, arguments: b"9\0jcmd\0\0\0\0")
        folder = tmp_path / "out"
        assert main(["collect", str(host.pid), "-o", str(folder), "--method", "attach"]) == 3
        assert "status 101" in capsys.readouterr().err
        assert main(["collect", str(host.pid), "-o", str(folder)]) == 0
        assert capsys.readouterr().err.count("jcmd is used instead") == 1
        (sidecar,) = folder.glob("*.json")
        assert json.loads(sidecar.read_text())["method"] == "jcmd"
        assert host.serves()


def test_embedded_says_that_it_works_from_inside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        assert main(["collect", str(host.pid), "-o", str(tmp_path), "--method", "embedded"]) == 3
        assert "heapscope.collect_self(" in capsys.readouterr().err
        assert host.serves()


def test_a_tool_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        monkeypatch.setattr(channel, "_program", lambda name, process: None)
        with pytest.raises(CollectError, match="jmap is not found on the PATH"):
            collect(processes.get(host.pid), tmp_path, method="jmap")


def test_a_tool_of_others_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a target brings along may be anything: as root it is run only if it is root's."""
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    tool = home / "bin/jcmd"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        process = processes.get(host.pid)
        brought = processes.JvmProcess(
            **{
                **{name: getattr(process, name) for name in process.__slots__},
                "libjvm": f"{home}/lib/server/libjvm.so",
            }
        )
        assert channel._program("jcmd", brought) == str(tool)
        tool.chmod(0o777)
        assert channel._program("jcmd", brought) is None
        tool.unlink()
        tool.symlink_to("/usr/bin/env")  # root's, but no tool of a JDK
        assert channel._program("jcmd", brought) is None
        tool.unlink()
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
        home.chmod(0o777)  # anybody can put another bin there
        assert channel._program("jcmd", brought) is None


def test_xrs_is_dumped_without_any_signal(tmp_path: Path) -> None:
    with c_host(find_jdks()[RELEASES[0]], "run", SMALL, "-Xrs") as host:
        taken = collect(processes.get(host.pid), tmp_path)
        assert node_count(taken.path) == nodes(SMALL)
        assert host.serves()


def test_a_library_that_is_only_mapped_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[object] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *sent: signals.append(sent))
    with c_host(find_jdks()[RELEASES[0]], "mapped", SMALL) as host:
        process = processes.get(host.pid)
        assert not process.is_started
        with pytest.raises(AttachRefused, match="no JVM runs in it"):
            collect(process, tmp_path, allow_sigquit=True)
        assert signals == []
        assert host.process.poll() is None


def test_a_forked_child_is_left_alone_and_its_parent_serves(tmp_path: Path) -> None:
    with c_host(find_jdks()[RELEASES[0]], "fork", SMALL) as host:
        child = int(host.said[-1])
        try:
            with pytest.raises(AttachRefused, match="forked child"):
                collect(processes.get(child), tmp_path, allow_sigquit=True)
            pending = re.search(r"^ShdPnd:\s(\w+)$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
            assert pending is not None
            assert int(pending[1], 16) == 0  # no SIGQUIT waits for a thread that is not there
            assert collect(
                processes.get(host.pid), tmp_path, kind="histogram", allow_sigquit=True
            ).path.exists()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_programs_own_sigquit_handler_runs_only_on_opt_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing seen from outside tells that handler from the JVM's: so nobody is signalled unasked."""
    with c_host(find_jdks()[RELEASES[0]], "sigquit", SMALL) as host:
        process = processes.get(host.pid)
        assert process.attach == "signal"
        with pytest.raises(AttachRefused, match="--allow-sigquit"):
            collect(process, tmp_path)
        assert host.serves()
        monkeypatch.setattr(attach, "_SIGNAL_SECONDS", 0.5)
        with pytest.raises(AttachTimeout, match="host program may handle that signal"):
            collect(process, tmp_path, allow_sigquit=True)
        assert host.line() == "the program's own SIGQUIT handler ran"
        assert host.serves()
        assert not Path(f"/tmp/.attach_pid{host.pid}").exists()


def test_where_sigpipe_would_kill_a_file_is_written(tmp_path: Path) -> None:
    notices: list[str] = []
    with c_host(find_jdks()[RELEASES[0]], "sigpipe", SMALL, LISTENS) as host:
        taken = collect(processes.get(host.pid), tmp_path, notice=notices.append)
        assert taken.facts["mode"] == "file"
        assert node_count(taken.path) == nodes(SMALL)
        assert host.serves()
    assert len(notices) == 1
    assert "SIGPIPE" in notices[0]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("release", RELEASES)
def test_file_mode_leaves_one_whole_snapshot(release: int, tmp_path: Path) -> None:
    with java_host(find_jdks()[release], SMALL, LISTENS) as host:
        folder = tmp_path / "out"
        assert main(["collect", str(host.pid), "-o", str(folder), "--no-stream"]) == 0
        (path,) = folder.glob("*.zst")
        assert node_count(path) == nodes(SMALL)
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(Path(f"{path}.json").read_text())["mode"] == "file"
        assert leftovers(folder) == []
        assert host.serves()


def test_a_jvm_too_old_to_stream_writes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = attach.jcmd

    def as_jdk_8(process: processes.JvmProcess, command: str, **options: float) -> str:
        said = ask(process, command, **options)  # type: ignore[arg-type]
        return (
            re.sub(r"^JDK .*$", "JDK 8.0_412", said, flags=re.MULTILINE) if command == "VM.version" else said
        )

    notices: list[str] = []
    monkeypatch.setattr(attach, "jcmd", as_jdk_8)
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        taken = collect(processes.get(host.pid), tmp_path, notice=notices.append)
        assert node_count(taken.path) == nodes(SMALL)
        assert host.serves()
    assert taken.facts["mode"] == "file"
    assert "JDK 8 cannot write into a FIFO" in notices[0]


def test_without_room_no_file_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Disk, "left_bytes", lambda disk: 1 << 20)
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        with pytest.raises(CollectError, match=r"may need .* there: /tmp has 1.05 MB to spare"):
            collect(processes.get(host.pid), tmp_path, stream=False)
        assert leftovers(tmp_path) == []
        assert host.serves()


def test_no_file_is_written_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tmpfs counts against the container's limit: a dump there would call the OOM killer."""
    monkeypatch.setattr(target_folder, "_FOLDERS", ("/dev/shm",))
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        with pytest.raises(CollectError, match="/dev/shm is memory"):
            collect(processes.get(host.pid), tmp_path, stream=False)
        assert host.serves()


def test_the_sidecar_says_what_was_where_and_no_secret(tmp_path: Path) -> None:
    options = ("-Dstore.password=hunter2 tail", "-XX:+UseSerialGC", LISTENS)
    with java_host(find_jdks()[RELEASES[0]], SMALL, *options, "-Xmx64m") as host:
        facts = json.loads(collect(processes.get(host.pid), tmp_path).sidecar.read_text())
        assert host.serves()
    assert "hunter2" not in json.dumps(facts)
    assert "-Dstore.password=(masked)" in facts["jvm_options"]["command_line"]
    assert "-Xmx64m" in facts["jvm_options"]["command_line"]
    assert "-XX:+UseSerialGC" in facts["jvm_options"]["flags"]
    assert f"-XX:MaxHeapSize={64 << 20}" in facts["jvm_options"]["flags"]
    assert facts["process"]["rss_bytes"] > 0
    assert facts["after"]["rss_bytes"] > 0
    assert facts["after"]["heap"]["used_bytes"] > 0
    assert facts["method"] == "attach"
    assert 0 < facts["pause_seconds_estimate"] < facts["elapsed_seconds"] < 60
    assert facts["dump_bytes"] > facts["file_bytes"] > 0


def test_a_histogram_has_the_time_it_was_taken_wherever_it_is_copied_to(tmp_path: Path) -> None:
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        taken = [collect(processes.get(host.pid), tmp_path, kind="histogram") for _ in range(2)]
        assert host.serves()
    for age, collected in zip((100, 200), taken, strict=True):
        os.utime(collected.path, (age, age))
    os.utime(taken[0].path, (10**9, 10**9))  # the copy of the first is the younger file
    found = heapscope.snapshots([tmp_path])
    assert [snapshot.path for snapshot in found] == [collected.path for collected in taken]
    assert [snapshot.captured_at_source for snapshot in found] == ["sidecar", "sidecar"]
    assert [s.captured_at.isoformat() for s in found] == [c.facts["captured_at"] for c in taken]


def test_parts_of_a_heapscope_that_was_killed_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".jvm.1.20260101T000000.000000Z.hprof.zst.part").write_bytes(b"half")
    left = Path(f"/tmp/heapscope-{2**22}-1-0123abcd")
    left.mkdir(exist_ok=True)
    (left / "dump.hprof").write_bytes(b"half")
    of_a_watch = tmp_path / ".watch.parquet.part"
    of_a_watch.write_bytes(b"just being written")
    with java_host(find_jdks()[RELEASES[0]], SMALL, LISTENS) as host:
        with part_file.open_part(tmp_path / "jvm.2.20260101T000000.000000Z.hprof.zst") as living:
            collect(processes.get(host.pid), tmp_path, kind="histogram")
            assert living.part.exists()
        assert host.serves()
    of_a_watch.unlink()  # still there
    assert leftovers(tmp_path) == []
