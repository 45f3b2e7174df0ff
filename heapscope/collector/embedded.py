"""The JVM inside this very process: a snapshot taken from within, for notebooks and training scripts.

Everything goes through JNI (`heapscope.collector.jni`), whoever started the JVM: JPype, libhdfs, TensorFlow.
So no signal and no attaching is needed, and it works with ``-Xrs`` and with ``-XX:+DisableAttachMechanism``.
Only a dump into a FIFO cannot be had through JNI.  It takes the JVM's own attach socket, which exists or is
opened by a SIGQUIT: from within the process one can see that HotSpot handles that signal, and nobody else.
Otherwise the JVM writes a file, which is packed and removed.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from heapscope.collector import attach, jni, processes
from heapscope.collector.channel import JvmChannel, release_of
from heapscope.collector.dump import (
    MAX_PAUSE_SECONDS,
    Collected,
    FileKind,
    SnapshotOptions,
    ignore_notice,
    take,
)
from heapscope.collector.processes import JvmProcess
from heapscope.errors import DumpFailed, JvmNotFound

_SIGACTION_BYTES = 512  # more than any libc's struct sigaction


def collect_self(
    folder: str | os.PathLike[str],
    *,
    kind: FileKind = "dump",
    live: bool = True,
    stream: bool = True,
    max_pause_seconds: float = MAX_PAUSE_SECONDS,
    notice: Callable[[str], None] = ignore_notice,
) -> Collected:
    """Take a snapshot of the JVM in this process into ``folder``, which is made (0700) where it is missing.

    Other Python threads go on meanwhile; Java threads stand still for as long as the JVM writes.

    Parameters
    ----------
    folder : str or path-like
        Where the snapshot and its sidecar go; `heapscope.snapshots` takes the folder.
    kind : {"dump", "histogram"}
        A heap dump, or the ten times cheaper class histogram.
    live : bool
        Only what is reachable, after a full collection; else all objects.
    stream : bool
        Whether a dump may flow through a FIFO; else, and where attaching is disabled, the JVM writes a file
        into /tmp or /var/tmp, if there is room, which is packed and removed.
    max_pause_seconds : float
        A dump that flows through a FIFO and makes the JVM stand still for longer is ended.
    notice : callable (str) -> None
        Told, in one line, when a dump is not streamed, and why.

    Returns
    -------
    Collected
        ``path``, ``sidecar``, and ``facts``, which the sidecar holds.

    Raises
    ------
    JvmNotFound
        No JVM runs in this process: none was started, or the process was forked from one that has it.
    CollectError
        The JVM refuses.
    DumpFailed
        The snapshot is not whole; nothing of it is left.

    Examples
    --------
    >>> import heapscope
    >>> heapscope.collect_self("snapshots", kind="histogram").path  # doctest: +SKIP
    """
    vm = jni.created_vm()
    process = processes.get(os.getpid())
    if not process.is_started:
        raise JvmNotFound(
            f"this process ({process.pid}) was forked from one that hosts a JVM: its threads are not here; "
            "call collect_self in the process that started it"
        )
    is_streamed = stream and kind == "dump"
    return take(
        process,
        Path(folder),
        lambda: _channel(vm, process, is_streamed=is_streamed),
        SnapshotOptions(
            kind=kind, live=live, stream=stream, max_pause_seconds=max_pause_seconds, notice=notice
        ),
    )


def ask_self(command: str) -> str:
    """The answer of the JVM in this process to a diagnostic command such as ``GC.class_histogram``.

    Parameters
    ----------
    command : str
        Any but ``GC.heap_dump``, with its options separated by blanks.

    Raises
    ------
    JvmNotFound
        No JVM runs in this process.
    CollectError
        The JVM refuses the command.
    """
    return jni.diagnostic_command(jni.created_vm(), command)


def _channel(vm: int, process: JvmProcess, *, is_streamed: bool) -> JvmChannel:
    def from_within(command: str, seconds: float) -> str:
        if not command.startswith("GC.heap_dump "):
            return jni.diagnostic_command(vm, command)
        *options, path = command.split(" ")
        try:
            jni.dump_heap(vm, path, live="-all" not in options)
        except jni.JavaError as error:
            raise DumpFailed(
                f"process {process.pid}: {error}; no snapshot was kept, the JVM goes on"
            ) from None
        return "Heap dump file created"  # the bean throws where it was not

    def by_socket(command: str, seconds: float) -> str:
        if not command.startswith("GC.heap_dump "):
            return jni.diagnostic_command(vm, command)
        return attach.jcmd(process, command, allow_sigquit=owns_sigquit(), seconds=seconds)

    release = release_of(jni.diagnostic_command(vm, "VM.version"))
    can_be_asked = process.attach == "yes" or (process.attach == "signal" and owns_sigquit())
    if is_streamed and can_be_asked:
        return JvmChannel("embedded", by_socket, release)
    why = (
        process.attach_reason.partition(";")[0]
        if process.attach == "no"
        else "SIGQUIT is handled by another than the JVM"
    )
    return JvmChannel("embedded", from_within, release, why_no_stream=why)


def owns_sigquit() -> bool:
    """Whether the handler of SIGQUIT in this process is code of libjvm."""
    action = ctypes.create_string_buffer(_SIGACTION_BYTES)
    # The handler is the first member of struct sigaction, in glibc and musl alike.
    if ctypes.CDLL(None).sigaction(int(signal.SIGQUIT), None, action) != 0:
        return False
    handler = ctypes.c_void_p.from_buffer(action).value or 0
    maps = Path("/proc/self/maps").read_text(errors="surrogateescape")
    ranges = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) .*/libjvm\.so(?: \(deleted\))?$", maps, re.MULTILINE)
    return any(int(start, 16) <= handler < int(end, 16) for start, end in ranges)
