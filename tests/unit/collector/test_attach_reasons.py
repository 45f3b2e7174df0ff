"""Why a JVM cannot be attached to: its options, and a socket that lost its name."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from heapscope.collector.attach_reasons import as_whom, has_flag, refine, why_silent

HOME = Path(f"/proc/{os.getpid()}")


def test_the_last_flag_counts_wherever_it_stands() -> None:
    assert has_flag("X", ["java", "-XX:+X"], {}) is True
    assert has_flag("X", ["java", "-XX:-X"], {"JAVA_TOOL_OPTIONS": "-Xmx1g -XX:+X"}) is False
    assert has_flag("X", ["python"], {"LIBHDFS_OPTS": "-XX:+X"}) is True
    assert has_flag("X", ["java"], {}) is None


@pytest.mark.parametrize("attach", ["signal", "yes"])
def test_attaching_that_is_disabled_is_seen_without_counters(attach: str) -> None:
    """With -UsePerfData nothing but the command line tells; a SIGQUIT prints threads at each try."""
    words = ["java", "-XX:-UsePerfData", "-XX:+DisableAttachMechanism"]
    found, reason = refine(attach, "", HOME, 1, words, {})  # type: ignore[arg-type]
    assert found == "no"
    assert "collect_self" in reason
    assert refine("no", "it runs with -XX:+DisableAttachMechanism", HOME, 1, [], {})[1] == reason


def test_a_tmp_that_is_read_only_is_told_from_a_socket_that_was_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    for words in (["java"], ["java", "-XX:+StartAttachListener"]):
        found, reason = refine("signal", "", HOME, 1, words, {})
        assert found == "no"
        assert reason.startswith("its /tmp is read-only")
    assert refine("yes", "", HOME, 1, ["java"], {}) == ("yes", "")


def test_a_socket_that_was_deleted_is_told_from_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refine("signal", "needs a SIGQUIT", HOME, 1, ["java"], {}) == ("signal", "needs a SIGQUIT")
    told = refine("signal", "", HOME, 1, ["java", "-XX:+StartAttachListener"], {})[1]
    assert "/tmp/.java_pid1 was deleted" in told
    assert "tmpfiles.d" in told
    path = Path(f"/tmp/.java_pid999{os.getpid()}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.tmp")
        Path(f"{path}.tmp").rename(path)  # as HotSpot does
        path.unlink()
        assert "was deleted" in refine("signal", "", HOME, int(f"999{os.getpid()}"), ["java"], {})[1]
    assert "was deleted" not in refine("signal", "", HOME, int(f"999{os.getpid()}"), ["java"], {})[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give a file away")
@pytest.mark.parametrize(
    ("owner", "uid", "powers", "mode", "is_blocked"),
    [
        (65534, 1000, 0, 0o1777, True),
        (0, 1000, 0, 0o1777, True),
        (1000, 1000, 0, 0o1777, False),
        (65534, 0, 1 << 3, 0o1777, False),  # CAP_FOWNER
        (65534, 1000, 0, 0o777, False),
    ],
)
def test_a_socket_of_another_user_is_named_with_who_can_remove_it(
    tmp_path: Path, owner: int, uid: int, powers: int, mode: int, is_blocked: bool
) -> None:
    """A killed JVM leaves its socket, and a process of another user gets its pid: it cannot listen there."""
    tmp = tmp_path / "root/tmp"
    tmp.mkdir(parents=True)
    tmp.chmod(mode)
    (tmp / ".java_pid7").touch()
    os.chown(tmp / ".java_pid7", owner, owner)
    (tmp_path / "status").write_text(
        f"Name:\tjava\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{powers:016x}\n"
    )
    found, reason = refine("signal", "nobody listens", tmp_path, 7, ["java"], {})
    assert (found == "no") == is_blocked
    if is_blocked:
        whose = "root can" if owner == 0 else "nobody or root can"
        assert (
            f"belongs to user {'root' if owner == 0 else 'nobody'}, left by an earlier process with its pid"
            in reason
        )
        assert f"{whose} remove it (rm {tmp_path}/root/tmp/.java_pid7)" in reason
        assert "\n" not in reason
    else:
        assert reason == "nobody listens"
    assert refine("yes", "", tmp_path, 7, ["java"], {}) == ("yes", "")


def test_root_is_not_told_to_be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "run as" not in as_whom()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert as_whom() == "run as its user, or as root"


@pytest.mark.parametrize(
    ("state", "limit", "words"),
    [
        ("T", "1024", "it is stopped"),
        ("S", "2", "it has no file descriptor left (limit 2), so it takes no connection"),
        ("S", "1024", "the JVM may be busy"),
        ("S", "unlimited", "the JVM may be busy"),
    ],
)
def test_why_a_jvm_does_not_answer(tmp_path: Path, state: str, limit: str, words: str) -> None:
    assert why_silent(tmp_path / "gone") == "the JVM may be busy, try again later"
    (tmp_path / "stat").write_text(f"7 (a) b) {state} 1\n")
    (tmp_path / "limits").write_text(f"Limit\nMax open files            {limit}    4096   files\n")
    for number in range(2):
        (tmp_path / "fd").mkdir(exist_ok=True)
        (tmp_path / "fd" / str(number)).touch()
    assert why_silent(tmp_path).startswith(words)
