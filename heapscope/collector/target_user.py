"""Files and sockets in the place of another process: its user, its mount and user namespaces.

Root of the host reaches everything through ``/proc/PID/root``, but two things only the target's own user can
do: be accepted by a JVM in another user namespace, where our root is nobody, and make files on a file
system that was mounted there (the kernel says EOVERFLOW).  So a helper process opens the directory as
root, takes the target's effective ids, which is a matter of the whole process, and does it::

    python -m heapscope.collector.target_user CHANNEL_FD FOLDER_FD UID GID connect|create NAME
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from heapscope.collector.processes import status_facts
from heapscope.errors import AttachRefused

_HELPER = (sys.executable, "-m", "heapscope.collector.target_user")


@dataclass(frozen=True, slots=True)
class Owner:
    """Effective ids of a process, as we see them; whether it is in another user namespace than we."""

    uid: int
    gid: int
    is_foreign: bool

    @property
    def to_act_as(self) -> tuple[int, int] | None:
        """Ids that root has to take; None for its own process, or where we are not root."""
        return (self.uid, self.gid) if os.geteuid() == 0 and (self.uid, self.gid) != (0, 0) else None


def owner_of(pid: int) -> Owner:
    """Who runs a process.  Not by ``stat`` of ``/proc/PID``: what is not dumpable seems to be root's.

    Raises
    ------
    AttachRefused
        The process has ended.
    """
    try:
        facts = status_facts(Path(f"/proc/{pid}/status").read_text(errors="surrogateescape"))
    except OSError:
        raise AttachRefused(f"process {pid}: it has ended; its pid may be another's now") from None
    return Owner(int(facts["Uid"].split()[1]), int(facts["Gid"].split()[1]), _is_foreign(pid))


def _is_foreign(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    except OSError:
        return False


def act_as(ids: tuple[int, int] | None) -> None:
    """Take effective ids, for this whole process; None takes the real ones back."""
    if ids is None:
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())
            os.setegid(os.getgid())
        return
    os.setgroups([])
    os.setegid(ids[1])
    os.seteuid(ids[0])


def connect(owner: Owner, folder: int, name: str, seconds: float) -> socket.socket:
    """A connection to the unix socket ``name`` in an open directory, made as the owner where that is needed.

    Raises
    ------
    OSError
        As for `socket.socket.connect`.
    """
    if owner.is_foreign and owner.to_act_as is not None:
        return socket.socket(fileno=_ask_helper(owner, folder, "connect", name, seconds))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(seconds)
        # A socket's address has at most 108 bytes.
        connection.connect(f"/proc/self/fd/{folder}/{name}")
    except BaseException:
        connection.close()
        raise
    return connection


def create(owner: Owner, folder: int, name: str, seconds: float) -> None:
    """An empty file ``name``, the owner's, in an open directory; one that is there stays.

    Raises
    ------
    OSError
        It cannot be made.
    """
    if owner.is_foreign and owner.to_act_as is not None:
        os.close(_ask_helper(owner, folder, "create", name, seconds))
        return
    try:
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except FileExistsError:
        return
    try:
        if owner.to_act_as is not None:
            os.fchown(fd, owner.uid, owner.gid)
    finally:
        os.close(fd)


def _ask_helper(owner: Owner, folder: int, what: str, name: str, seconds: float) -> int:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(seconds + 5)
        words = [str(theirs.fileno()), str(folder), str(owner.uid), str(owner.gid), what, name]
        helper = subprocess.Popen([*_HELPER, *words], pass_fds=[theirs.fileno(), folder])
        try:
            theirs.close()
            said, fds, _, _ = socket.recv_fds(ours, 256, 1)
        finally:
            helper.kill()
            helper.wait()
    if not fds:
        number = int(said or b"0")
        raise OSError(number, os.strerror(number) if number else "the helper process ended")
    return fds[0]


def main() -> None:
    """The helper: sends the open file descriptor, or the number of the error."""
    channel_fd, folder, uid, gid = map(int, sys.argv[1:5])
    what, name = sys.argv[5:7]
    channel = socket.socket(fileno=channel_fd)
    try:
        act_as((uid, gid))
        if what == "connect":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(f"/proc/self/fd/{folder}/{name}")
            fd = connection.detach()
        else:
            fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    except OSError as error:
        channel.send(str(error.errno).encode())
    else:
        socket.send_fds(channel, [b"0"], [fd])


if __name__ == "__main__":
    main()
