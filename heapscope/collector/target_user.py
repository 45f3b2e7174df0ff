"""Connects to sockets and creates files as the user who runs the target process.

Root of the host reaches every file through ``/proc/PID/root``.  Two things only the target's own user can do
where the target is in another user namespace: connect to its JVM, which takes the host's root for an unknown
user, and create files on a file system that was mounted there (the kernel answers EOVERFLOW).  Effective ids
belong to a whole process, so a helper process does it: it opens the directory as root, takes the target's
ids, and sends the open file descriptor back::

    python -m heapscope.collector.target_user SOCKET_FD FOLDER_FD UID GID connect|create NAME
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
from heapscope.isolated_python import isolated_python

_HELPER = isolated_python("heapscope.collector.target_user")


@dataclass(frozen=True, slots=True)
class Owner:
    """The user who runs a process.

    Attributes
    ----------
    uid, gid : int
        Its effective ids, as numbers of our user namespace.
    is_foreign : bool
        Whether it is in another user namespace than we are.
    """

    uid: int
    gid: int
    is_foreign: bool

    @property
    def to_act_as(self) -> tuple[int, int] | None:
        """Ids to take before acting for the target; None for root's own process, or where we are not root."""
        return (self.uid, self.gid) if os.geteuid() == 0 and (self.uid, self.gid) != (0, 0) else None


def owner_of(pid: int) -> Owner:
    """The user who runs a process.

    From ``status``, not from the owner of ``/proc/PID``: that is root for a process that is not dumpable.

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
    """Take effective ids (user, group) for this whole process; None takes the real ones back.

    Raises
    ------
    OSError
        We are not root.
    """
    if ids is None:
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())
            os.setegid(os.getgid())
        return
    os.setgroups([])
    os.setegid(ids[1])
    os.seteuid(ids[0])


def connect(owner: Owner, folder: int, name: str, seconds: float) -> socket.socket:
    """A connection to a unix socket, made as the owner where that is needed.

    Parameters
    ----------
    owner : Owner
        Of the process that listens.
    folder : int
        The directory of the socket, opened.
    name : str
        The socket's name in it.
    seconds : float
        Time limit.

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
    """Create an empty file that belongs to the owner; one of the owner's that exists stays as it is.

    Parameters
    ----------
    owner : Owner
    folder : int
        The directory of the file, opened.
    name : str
        The file's name in it.
    seconds : float
        Time limit.

    Raises
    ------
    FileExistsError
        It is there, and another user's.
    OSError
        It cannot be made.
    """
    if owner.is_foreign and owner.to_act_as is not None:
        os.close(_ask_helper(owner, folder, "create", name, seconds))
        return
    try:
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except FileExistsError:
        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid != owner.uid:
            raise
        return
    try:
        if owner.to_act_as is not None:
            os.fchown(fd, owner.uid, owner.gid)
    finally:
        os.close(fd)


def _ask_helper(owner: Owner, folder: int, what: str, name: str, seconds: float) -> int:
    """The file descriptor that the helper process opened; its error where it could not."""
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
    """The helper process: sends an open file descriptor, or the number of an error, through a socket."""
    socket_fd, folder, uid, gid = map(int, sys.argv[1:5])
    what, name = sys.argv[5:7]
    answer = socket.socket(fileno=socket_fd)
    try:
        act_as((uid, gid))
        if what == "connect":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(f"/proc/self/fd/{folder}/{name}")
            fd = connection.detach()
        else:
            fd = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    except OSError as error:
        answer.send(str(error.errno).encode())
    else:
        socket.send_fds(answer, [b"0"], [fd])


if __name__ == "__main__":
    main()
