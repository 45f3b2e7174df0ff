"""Processes that host a JVM: libjvm in ``/proc/PID/maps``, embedded in a host program or not.

Everything is read from ``/proc`` and hsperfdata; no process is contacted.  Of the environment only
the variables of `ENVIRONMENT_THAT_MATTERS` are ever kept.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Literal

from heapscope.collector import perfdata
from heapscope.collector.attach_reasons import refine, user_name
from heapscope.collector.container import container_of, pod_of
from heapscope.errors import JvmNotFound
from heapscope.units import format_bytes

ENVIRONMENT_THAT_MATTERS = (
    "KERB_TICKET_CACHE_PATH",
    "KRB5CCNAME",
    "LIBHDFS_OPTS",
    "JAVA_TOOL_OPTIONS",
    "MALLOC_ARENA_MAX",
)
# TensorFlow takes no other job names; and a role is shown, and written into tables and file names.
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# Longer ones are no number of a task, and fit into no column of integers.
_TASK_INDEX = re.compile(r"[0-9]{1,9}")
Attach = Literal["yes", "signal", "no"]
# The thread that answers; the socket of a JVM that has none was left behind.
LISTENER = "Attach Listener"
NO_SOCKET = "needs a SIGQUIT (--allow-sigquit); -XX:+StartAttachListener makes it needless"
NOBODY_LISTENS = (
    "nobody listens at its attach socket: that is of an earlier process, or the listener ended, as it does "
    "where file descriptors run out; a SIGQUIT (--allow-sigquit) starts it anew since JDK 14, else only a "
    "restart does"
)
# Of one file of /proc.  65,530 mappings (vm.max_map_count) of long names are about 16 MB.
_MAX_BYTES = 64 << 20
# The kernel starts no program with more arguments and variables than 6 MiB; a process may show more later.
_MAX_WORDS_BYTES = 6 << 20


@dataclass(frozen=True, slots=True)
class JvmProcess:
    """A process that hosts a JVM, as it was when it was looked at.

    Attributes
    ----------
    pid, namespace_pid : int
        In our pid namespace; in the process's innermost one (the pid that a container shows).
    start_ticks : int
        Field 22 of ``/proc/PID/stat``; together with the pid it names one process and no other.
    role, task_index : str, int or None
        Of TensorFlow, from ``--job_name``/``--task_index`` or ``TF_CONFIG``.
    is_embedded : bool
        The host program is not a Java launcher.
    is_started : bool
        A JVM runs: the thread ``VM Thread`` exists.  libjvm alone may merely be mapped.
    heap : HeapUse or None
        None without hsperfdata.
    vsz_bytes, rss_bytes : int
    age_seconds : float
    attach : {"yes", "signal", "no"}
        Whether it answers an attach now; only after a SIGQUIT; or not at all.
    attach_reason : str
        Why not, or what a signal takes.
    is_suspect : bool
        ``KERB_TICKET_CACHE_PATH`` is set and libhdfs is mapped, or Hadoop's client is on the class path of an
        embedded JVM: every read may leak a file system.
    unreadable : tuple of str
        What the rights of this user did not allow to be read.
    oddities : tuple of str
        What of the process is not as it should be, in words: counters that are not its own, say.
    container, pod : str
        Digits of its container's id, and its pod's name in Kubernetes; empty outside of them.
    """

    pid: int
    namespace_pid: int
    start_ticks: int
    user: str
    command: tuple[str, ...]
    role: str | None
    task_index: int | None
    is_embedded: bool
    is_started: bool
    jvm_version: str | None
    libjvm: str
    heap: perfdata.HeapUse | None
    vsz_bytes: int
    rss_bytes: int
    age_seconds: float
    attach: Attach
    attach_reason: str
    environment: dict[str, str] = field(default_factory=dict)
    is_suspect: bool = False
    unreadable: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    container: str = ""
    pod: str = ""

    @property
    def release(self) -> int:
        """Feature release of its JVM, from HotSpot's version; 0 where that is not known.

        Up to JDK 8 HotSpot had versions of its own: 25.412-b08 is of JDK 8, 25.0.3+9 of JDK 25.
        """
        found = re.match(r"(\d+)(?:\.[\d.]+(-b\d+))?", self.jvm_version or "")
        return 0 if found is None else int(found[1]) - 17 * bool(found[2])


def find(pids: Sequence[int] | None = None, proc: Path = Path("/proc")) -> list[JvmProcess]:
    """All processes that host a JVM, by pid; those that end meanwhile are left out.

    What is odd about one of them is said of that one (`JvmProcess.oddities`) and hides no other.

    Parameters
    ----------
    pids : sequence of int, optional
        Look at these only.
    proc : Path
        Where the kernel tells of processes.
    """
    wanted = sorted(_pids(proc)) if pids is None else pids
    return [found for pid in wanted if (found := _inspect(proc, pid)) is not None]


def get(pid: int) -> JvmProcess:
    """The JVM in one process.

    Raises
    ------
    JvmNotFound
        No such process, or it hosts no JVM that this user may see.
    """
    found = find([pid])
    if not found:
        raise JvmNotFound(
            f"process {pid}: no such process, or no libjvm in its /proc/{pid}/maps that user "
            f"{user_name(os.geteuid())} may read; 'heapscope ps' lists the JVMs, as root those of all users"
        )
    return found[0]


def hidden(proc: Path = Path("/proc")) -> int:
    """How many processes this user may not look into."""
    return sum(
        1
        for pid in _pids(proc)
        if not os.access(proc / str(pid) / "maps", os.R_OK) or _read(proc / str(pid) / "maps", 1) is None
    )


def are_others_hidden(proc: Path = Path("/proc")) -> bool:
    """Whether ``/proc`` does not even list processes of other users: it is mounted with ``hidepid``.

    The first process is another user's, and is listed for those who see all.
    """
    mounts = re.findall(r"^\S+ /proc proc (\S+)", _read(proc / "self/mounts") or "", re.MULTILINE)
    value = re.search(r"(?:^|,)hidepid=(\w+)", mounts[-1]) if mounts else None  # the last is on top
    if value is None or value[1] in ("0", "off", "1", "noaccess"):
        return False
    try:
        first = (proc / "1").stat()
    except OSError:
        return True
    return os.geteuid() != 0 and first.st_uid == os.geteuid()


def start_ticks(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Start time of a process in clock ticks since boot; None when it is gone (proc(5), field 22)."""
    text = _read(proc / str(pid) / "stat")
    return int(text.rpartition(")")[2].split()[19]) if text else None


def is_running(process: JvmProcess) -> bool:
    """Whether this very process, and not another with its pid, is still there."""
    return start_ticks(process.pid) == process.start_ticks


def tensorflow_role(command: Sequence[str], tf_config: str | None) -> tuple[str | None, int | None]:
    """Role and task index from a command line, else from the text of ``TF_CONFIG``."""
    role, index = _flag(command, "job_name"), _flag(command, "task_index")
    if role is None and tf_config:
        try:
            task = json.loads(tf_config)["task"]
            role, index = str(task["type"]), str(task.get("index", ""))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None, None
    if role is not None and not _ROLE.fullmatch(role):
        return None, None
    return role, int(index) if index and _TASK_INDEX.fullmatch(index) else None


# Options of the java launcher whose value is the next word.
_WITH_VALUE = {
    "-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules",
    "--add-opens", "--add-exports", "--add-reads", "--limit-modules", "--enable-native-access", "--source",
}  # fmt: skip
# Programs whose first argument is what runs; of any other an argument may be anything.
_INTERPRETER = re.compile(r"(?:python|pypy|perl|ruby|node|php|Rscript|bash|sh|dash|zsh)[0-9.]*")
_INTERPRETER_OPTIONS_WITH_VALUE = {"-W", "-X", "-r", "--require"}
_MAX_PROGRAM = 200


def program_of(command: Sequence[str]) -> str:
    """What runs in a process: the main class, the jar or module of java, the script of another program.

    No argument of it, for those may be secret.

    Parameters
    ----------
    command : sequence of str
        Its command line.
    """
    words = iter(command[1:])
    launcher = Path(command[0]).name if command else ""
    is_java = not _is_embedded(command) if command else False
    if not is_java and not _INTERPRETER.fullmatch(launcher):
        return launcher[:_MAX_PROGRAM]
    for word in words:
        if word in ("-jar", "-m", "--module"):
            value = next(words, "")
            return (Path(value).name if word == "-jar" else value)[:_MAX_PROGRAM]
        if (is_java and word in _WITH_VALUE) or (word in _INTERPRETER_OPTIONS_WITH_VALUE and not is_java):
            next(words, None)
        elif word in ("-c", "-e", "-") and not is_java:
            break  # a program in the command line itself, or on standard input
        elif not word.startswith(("-", "@")):
            return (word if is_java else Path(word).name)[:_MAX_PROGRAM]
    return launcher[:_MAX_PROGRAM]


def _flag(command: Sequence[str], name: str) -> str | None:
    for index, word in enumerate(command):
        match = re.fullmatch(rf"--?{name}(?:=(.*))?", word, re.DOTALL)
        if match is not None:
            value = match[1] if match[1] is not None else "".join(command[index + 1 : index + 2])
            return value or None
    return None


def _pids(proc: Path) -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir(proc) if entry.name.isdecimal())


def _read(path: Path, most: int = _MAX_BYTES) -> str | None:
    """The text of a file, up to so many bytes: a process decides how long what it shows is."""
    try:
        with path.open("rb", buffering=0) as file:
            pieces = []
            while most > 0 and (piece := file.read(min(most, 1 << 20))):
                pieces.append(piece)
                most -= len(piece)
            return b"".join(pieces).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _inspect(proc: Path, pid: int) -> JvmProcess | None:
    """One process; None where it hosts no JVM, or has ended."""
    try:
        return _described(proc, pid)
    except (OSError, ValueError, LookupError, RecursionError) as error:
        # Whoever owns a process decides what it shows: nothing of it may hide the others.
        ticks = start_ticks(pid, proc)
        return None if ticks is None else _indescribable(pid, ticks, f"{type(error).__name__}: {error}")


def _indescribable(pid: int, ticks: int, why: str) -> JvmProcess:
    return JvmProcess(
        pid=pid,
        namespace_pid=pid,
        start_ticks=ticks,
        user="?",
        command=(),
        role=None,
        task_index=None,
        is_embedded=False,
        is_started=False,
        jvm_version=None,
        libjvm="",
        heap=None,
        vsz_bytes=0,
        rss_bytes=0,
        age_seconds=0.0,
        attach="no",
        attach_reason="what it shows of itself cannot be read",
        oddities=(why[:_MAX_PROGRAM],),
    )


def _described(proc: Path, pid: int) -> JvmProcess | None:
    home = proc / str(pid)
    maps = _read(home / "maps")
    if not maps or "libjvm.so" not in maps:
        return None
    library = re.search(r"(/.*libjvm\.so)", maps)
    status, ticks = _read(home / "status"), start_ticks(pid, proc)
    if library is None or status is None or ticks is None:
        return None
    facts = status_facts(status)
    if "Uid" not in facts:  # it is just ending
        return None
    words = _read(home / "cmdline", _MAX_WORDS_BYTES) or ""
    command = tuple(words.rstrip("\0").split("\0"))
    unreadable = []
    environ = _read(home / "environ", _MAX_WORDS_BYTES)
    if environ is None:
        unreadable.append("environment")
    variables = dict(item.split("=", 1) for item in (environ or "").split("\0") if "=" in item)
    cgroup = _read(home / "cgroup") or ""
    uids = [int(uid) for uid in facts["Uid"].split()[:3]]  # real, effective, saved
    inner = int(facts.get("NSpid", str(pid)).split()[-1])
    file, refused = perfdata.open_counters(home / "root/tmp", inner, maps, uids)
    oddities: tuple[str, ...] = (refused,) if refused else ()
    for name, text in (("command line", words), ("environment", environ or "")):
        if len(text) >= _MAX_WORDS_BYTES:
            oddities += (f"its {name} is longer than {format_bytes(_MAX_WORDS_BYTES)}: the rest is not read",)
    counters = None
    if file is not None:
        counters = file.read()
        file.close()
    role, index = tensorflow_role(command, variables.get("TF_CONFIG"))
    if role is None and variables.get("TF_CONFIG"):
        oddities += ("TF_CONFIG names no task",)
    if index is None and _flag(command, "task_index"):
        oddities += ("--task_index is no number of a task",)
    threads = _threads(home)
    is_started = "VM Thread" in threads
    attach, reason = _attachable(home, inner, facts, threads, counters)
    attach, reason = refine(attach, reason, home, inner, command, variables)
    environment = {name: variables[name] for name in ENVIRONMENT_THAT_MATTERS if name in variables}
    uptime = float((_read(proc / "uptime") or str(time.monotonic())).split()[0])
    version = counters.get("java.property.java.vm.version") if counters else None
    return JvmProcess(
        pid=pid,
        namespace_pid=inner,
        start_ticks=ticks,
        user=user_name(uids[1]),
        command=command,
        role=role,
        task_index=index,
        is_embedded=_is_embedded(command),
        is_started=is_started,
        jvm_version=str(version) if version else None,
        libjvm=library[1],
        heap=perfdata.heap_use(counters) if counters else None,
        vsz_bytes=kilobytes(facts, "VmSize"),
        rss_bytes=kilobytes(facts, "VmRSS"),
        age_seconds=max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK")),
        attach=attach,
        attach_reason=reason,
        environment=environment,
        is_suspect="KERB_TICKET_CACHE_PATH" in environment and _reads_hdfs(maps, command, counters),
        unreadable=tuple(unreadable),
        oddities=oddities,
        container=container_of(cgroup),
        pod=pod_of(cgroup, variables),
    )


def _reads_hdfs(maps: str, command: Sequence[str], counters: perfdata.Counters | None) -> bool:
    if "libhdfs" in maps:
        return True
    class_path = str((counters or {}).get("java.property.java.class.path", ""))
    return _is_embedded(command) and ("hadoop-common" in class_path or "hadoop-client" in class_path)


def _is_embedded(command: Sequence[str]) -> bool:
    return Path(command[0]).name not in ("java", "javaw")


def status_facts(status: str) -> dict[str, str]:
    """Fields of the text of ``/proc/PID/status``, by name."""
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


def kilobytes(facts: dict[str, str], name: str) -> int:
    """Bytes of a field that is in kB; 0 where it is missing."""
    return int(facts.get(name, "0").split()[0]) * 1024


def _threads(home: Path) -> set[str]:
    """Names of a process's threads, 15 bytes of each."""
    try:
        return {(_read(Path(task.path) / "comm") or "").rstrip("\n") for task in os.scandir(home / "task")}
    except OSError:
        return set()


def is_listening(pid: int) -> bool:
    """Whether a JVM has the thread that answers at its attach socket."""
    return LISTENER in _threads(Path(f"/proc/{pid}"))


def survives_broken_pipe(process: JvmProcess) -> bool:
    """Whether a process catches or ignores SIGPIPE, as HotSpot and Python both do unless told otherwise."""
    status = _read(Path(f"/proc/{process.pid}/status")) or ""
    facts = status_facts(status)
    return any(has_signal(facts.get(mask, "0"), Signals.SIGPIPE) for mask in ("SigCgt", "SigIgn"))


def has_signal(mask: str, signal: int) -> bool:
    """Whether a signal is in a mask as ``/proc/PID/status`` writes it (hexadecimal, bit 0 is signal 1)."""
    return bool(int(mask, 16) >> (signal - 1) & 1)


def _vm_thread_blocks(home: Path, signal: int) -> bool:
    """Whether the thread ``VM Thread`` blocks a signal.

    HotSpot blocks SIGQUIT in all its other threads, and in a host program's main thread as well.
    """
    try:
        tasks = os.listdir(home / "task")
    except OSError:
        return True
    for task in tasks:
        text = _read(home / "task" / task / "status") or ""
        if text.startswith("Name:\tVM Thread\n"):
            return has_signal(status_facts(text).get("SigBlk", "0"), signal)
    return True


def _is_socket(path: Path) -> bool:
    # Path.is_socket raises where a folder is closed to us.
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _attachable(
    home: Path, inner: int, facts: dict[str, str], threads: set[str], counters: perfdata.Counters | None
) -> tuple[Attach, str]:
    """Whether a process can be attached to, by what can be seen from outside."""
    state = facts["State"].split()[0]
    if state in "TtZX":
        return "no", "it is stopped, traced or dead"
    if "VM Thread" not in threads:
        return "no", "libjvm is mapped but no JVM runs in it (not started, or a forked child)"
    if not os.access(home / "root/", os.X_OK):
        return "no", "its files are out of reach; run as its user, or as root on the host"
    capabilities = str(counters.get("sun.rt.jvmCapabilities", "1")) if counters else "1"
    if capabilities[:1] == "0":
        return "no", "it runs with -XX:+DisableAttachMechanism"
    has_socket = _is_socket(home / f"root/tmp/.java_pid{inner}")
    if has_socket and LISTENER in threads:
        return "yes", ""
    if "Signal Dispatch" not in threads:
        return "no", (
            "it has no thread for signals (-Xrs, or it is still starting), so a SIGQUIT would kill it; use "
            "-XX:+StartAttachListener"
        )
    if (
        not has_signal(facts["SigCgt"], Signals.SIGQUIT)
        or has_signal(facts["SigIgn"], Signals.SIGQUIT)
        or _vm_thread_blocks(home, Signals.SIGQUIT)
    ):
        return "no", "SIGQUIT is not caught by the JVM; use -XX:+StartAttachListener"
    return "signal", NOBODY_LISTENS if has_socket else NO_SOCKET
