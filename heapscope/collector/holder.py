"""Names of FIFOs that lead nowhere as soon as all of our processes are gone.

A JVM that opens a FIFO waits in ``open`` for its reader; since JDK 22 that is after its full collection, with
all of its threads stopped.  If everything of heapscope were killed at once before that (SIGKILL of a control
group, say), nobody would be left to let it go on.  So what the JVM opens is a link to
``/proc/HOLDER/fd/N`` of a process that does nothing but keep the FIFOs' inodes (``O_PATH``, which makes it no
reader).  The FIFOs themselves have no name.  When the holder ends, the link leads nowhere, and the JVM's
``open`` fails at once.  The holder ends when the watchdog does: its standard input is a pipe from there.

The JVM may follow the link if the holder has its user and group, no power that it lacks (ptrace(2), "Ptrace
access mode checking"), the same label of a security module, and if it sees the holder in its ``/proc``.  In a
container, which has pids of its own, the FIFOs keep their names: a holder there would open our files, network
and program to the container by its ``/proc/HOLDER``.  If all of us are killed, the next heapscope that looks
at the JVM lets it go on (`heapscope.collector.target_folder.sweep`).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heapscope.collector.processes import status_facts
from heapscope.collector.target_user import owner_of

_NAMESPACES = ("pid", "user")


def can_link(pid: int) -> bool:
    """Whether a process sees ours under the same pids, and may look into one with its user.

    Its mounts may be its own, as a service's are.
    """
    ours = f"{os.getpid()}/stat"
    with suppress(OSError):
        return (
            all(
                os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}")
                for name in _NAMESPACES
            )
            and _start_ticks(f"/proc/{pid}/root/proc/{ours}") == _start_ticks(f"/proc/{ours}")
            and not _powers_of_holder(pid) & ~_powers(f"/proc/{pid}/status", "CapEff")
            and _label(f"/proc/{pid}") == _label("/proc/self")
        )
    return False


def _powers_of_holder(pid: int) -> int:
    """Capabilities that a holder for a process will have: root's, unless it becomes another user."""
    uid = owner_of(pid).uid
    return 0 if os.geteuid() == 0 and uid != 0 else _powers("/proc/self/status", "CapPrm")


def _powers(status: str, name: str) -> int:
    facts = status_facts(Path(status).read_text(errors="surrogateescape"))
    return int(facts[name], 16)


def _label(home: str) -> str:
    """What a security module (AppArmor, SELinux) calls a process; empty where there is none."""
    try:
        return Path(f"{home}/attr/current").read_text().rstrip("\0\n")
    except OSError:
        return ""


def _start_ticks(stat: str) -> str:
    return Path(stat).read_text(errors="replace").rpartition(")")[2].split()[19]


class Holder:
    """The process that keeps FIFOs, and the links that have taken their names.

    Parameters
    ----------
    fifos : sequence of Path
        Their names.
    guards : sequence of int
        Open paths (``O_PATH``) to them.
    owner : (int, int) or None
        User and group of the JVM, which are this process's effective ones; None where they are its real ones.

    Raises
    ------
    OSError
        The JVM could not follow the links, or there is no program to hold them; the FIFOs keep their names.
    """

    def __init__(self, fifos: Sequence[Path], guards: Sequence[int], owner: tuple[int, int] | None) -> None:
        # Any program that reads its input to the end: it has nothing of our memory, environment or rights.
        program = shutil.which("cat", path="/usr/bin:/bin")
        if program is None:
            raise FileNotFoundError(errno.ENOENT, "no cat in /usr/bin")
        uid, gid = (None, None) if owner is None else owner
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=guards,
            user=uid,
            group=gid,
        )
        try:
            for fifo, guard in zip(fifos, guards, strict=True):
                link = fifo.with_name(f"{fifo.name}.link")
                link.symlink_to(f"/proc/{self._process.pid}/fd/{guard}")
                _see_that_it_leads_to(link, guard)
                link.rename(fifo)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Let the links lead nowhere."""
        self._process.kill()
        self._process.communicate()


def _see_that_it_leads_to(link: Path, guard: int) -> None:
    fd = os.open(link, os.O_PATH)
    try:
        if not os.path.sameopenfile(fd, guard):
            raise FileNotFoundError(errno.ENOENT, "it leads elsewhere")
    finally:
        os.close(fd)
