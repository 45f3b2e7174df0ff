"""Why a JVM cannot be attached to, and what to do, from its options and from sockets that lost their name."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

_DISABLE, _START = "DisableAttachMechanism", "StartAttachListener"
# Where a JVM, or libhdfs, takes options from beside the command line.
_OPTION_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "LIBHDFS_OPTS")
_FROM_WITHIN = "from within it can be collected all the same: heapscope.collect_self(DIR)"
DISABLED = f"it runs with -XX:+{_DISABLE}; {_FROM_WITHIN}"


def as_whom() -> str:
    """What to do where rights are missing; root has them all, as far as they go."""
    if os.geteuid():
        return "run as its user, or as root"
    return "root may not either: it may be ending, or in a container or on a file system that is closed to us"


def user_name(uid: int) -> str:
    """The name of a user; the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def has_flag(name: str, command: Sequence[str], environment: Mapping[str, str]) -> bool | None:
    """Whether ``-XX:+NAME`` or ``-XX:-NAME`` is given, the last one counts; None where neither is."""
    words = [word for variable in _OPTION_VARIABLES for word in environment.get(variable, "").split()]
    found = [word for word in (*words, *command) if word in (f"-XX:+{name}", f"-XX:-{name}")]
    return found[-1][4] == "+" if found else None


def refine(
    attach: Literal["yes", "signal", "no"],
    reason: str,
    home: Path,
    namespace_pid: int,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> tuple[Literal["yes", "signal", "no"], str]:
    """What options and lost sockets add to whether a process can be attached to.

    Parameters
    ----------
    attach, reason : str
        What its threads, signals and files say.
    home : Path
        ``/proc/PID``.
    namespace_pid : int
        Its pid in its innermost namespace.
    command, environment : sequence of str, mapping
        Of the process.
    """
    if "DisableAttachMechanism" in reason or (
        attach != "no" and has_flag(_DISABLE, command, environment) is True
    ):
        return "no", DISABLED
    if attach == "signal" and _is_read_only(home / "root/tmp"):
        return "no", (
            "its /tmp is read-only, so that it cannot make its attach socket: mount a /tmp there that can be "
            "written (an emptyDir in Kubernetes), and start it again"
        )
    if attach == "signal" and (blocked := in_the_way(home, namespace_pid)):
        return "no", blocked
    if attach == "signal":
        name = f"/tmp/.java_pid{namespace_pid}"
        if not os.path.exists(home / f"root{name}") and (
            _has_nameless_socket(home, name) or has_flag(_START, command, environment)
        ):
            return attach, (
                f"its attach socket {name} was deleted, as cleaners of /tmp do: exclude /tmp/.java_pid* "
                "there (tmpfiles.d: 'x /tmp/.java_pid*'); a SIGQUIT (--allow-sigquit) makes it anew since "
                "JDK 14 and in late 11, else only a restart does"
            )
    return attach, reason


# Of /proc/PID/status: CAP_FOWNER replaces files of others in a sticky folder.
_CAP_FOWNER = 3


def in_the_way(home: Path, namespace_pid: int) -> str:
    """That another user's file has the name of a JVM's attach socket, and who can remove it; else empty.

    HotSpot renames its socket over what is there, which a sticky ``/tmp`` refuses where that is another
    user's: a killed JVM leaves its socket, and a later process gets its pid.

    Parameters
    ----------
    home : Path
        ``/proc/PID``.
    namespace_pid : int
        Its pid in its innermost namespace.
    """
    name = f".java_pid{namespace_pid}"
    try:
        facts, folder = (home / "root/tmp" / name).lstat(), (home / "root/tmp").stat()
        status = (home / "status").read_text(errors="replace")
    except OSError:
        return ""
    ids = re.search(r"^Uid:\t\d+\t(\d+)", status, re.MULTILINE)
    powers = re.search(r"^CapEff:\t([0-9a-f]+)", status, re.MULTILINE)
    uid = int(ids[1]) if ids else facts.st_uid
    may_replace = not folder.st_mode & stat.S_ISVTX or uid in (facts.st_uid, folder.st_uid)
    if may_replace or (powers and int(powers[1], 16) >> _CAP_FOWNER & 1):
        return ""
    owner = user_name(facts.st_uid)
    whose = "root" if facts.st_uid == 0 else f"{owner} or root"
    return (
        f"its attach socket cannot be made: /tmp/{name} belongs to user {owner}, left by an earlier process "
        f"with its pid, and this JVM runs as {user_name(uid)}; {whose} can remove it "
        f"(rm {home}/root/tmp/{name}), and --allow-sigquit then makes the socket"
    )


def _is_read_only(folder: Path) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def why_silent(home: Path) -> str:
    """Why a JVM that accepted a request may not answer, and what to do.

    Parameters
    ----------
    home : Path
        ``/proc/PID``.
    """
    with suppress(OSError, IndexError):
        if (home / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] in ("T", "t"):
            return "it is stopped; let it go on (SIGCONT), and try again"
    return without_descriptors(home) or "the JVM may be busy, try again later"


def without_descriptors(home: Path) -> str:
    """That a process has no file descriptor left, and what to do; empty where it has some.

    The attach listener of such a JVM ends when it is asked (HotSpot 17 and 25): its ``accept`` fails.

    Parameters
    ----------
    home : Path
        ``/proc/PID``.
    """
    with suppress(OSError):
        limit = re.search(r"^Max open files +(\d+)", (home / "limits").read_text(), re.MULTILINE)
        if limit is not None and len(os.listdir(home / "fd")) >= int(limit[1]):
            return (
                f"it has no file descriptor left (limit {int(limit[1]):,}), so it takes no connection: raise "
                f"that with prlimit --nofile --pid {home.name}"
            )
    return ""


def _has_nameless_socket(home: Path, name: str) -> bool:
    """Whether a process listens at a socket that lost its name; HotSpot binds ``NAME.tmp``, then renames."""
    try:
        lines = (home / "net/unix").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    fields = [line.split() for line in lines]
    inodes = {f"socket:[{each[6]}]" for each in fields if len(each) == 8 and each[7] in (name, f"{name}.tmp")}
    if not inodes:
        return False
    with suppress(OSError):
        for name in os.listdir(home / "fd"):
            with suppress(OSError):
                if os.readlink(home / "fd" / name) in inodes:
                    return True
    return False
