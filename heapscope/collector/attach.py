"""A client of the HotSpot attach protocol, version 1, that needs no JDK: ``/tmp/.java_pidN``.

A request is ``1\\0command\\0argument\\0argument\\0argument\\0``, the answer a status line and text up to
the end (HotSpot's ``attachListener_posix.cpp``).  Where the socket is missing, the JVM makes it when it
finds ``.attach_pidN`` at a SIGQUIT; a SIGQUIT that the JVM does not own kills the process, so
that is done only after all checks of `heapscope.collector.processes`, and only when allowed.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from heapscope.collector import target_folder, target_user
from heapscope.collector.attach_reasons import as_whom, in_the_way, user_name, why_silent, without_descriptors
from heapscope.collector.processes import NO_SOCKET, JvmProcess, find, is_listening
from heapscope.collector.processes import start_ticks as start_ticks_of
from heapscope.errors import AttachRefused, AttachTimeout, CollectError
from heapscope.isolated_python import isolated_code

REQUEST_SECONDS = 60.0
_SIGNAL_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_ASK_OWNER = isolated_code("import os, sys; print(os.stat(sys.argv[1]).st_uid)")
_BAD_VERSION = "101"  # ATTACH_ERROR_BADVERSION
_FIRST_RELEASE_TO_BELIEVE_ROOT = 11
_MAX_COMMAND_BYTES = 16
_MAX_ARGUMENT_BYTES = 1024
_MAX_REPLY_BYTES = 1 << 20
# Class histograms have a line for each class: the one answer that may be long.
_MAX_HISTOGRAM_BYTES = 256 << 20


def jcmd(
    process: JvmProcess, command: str, *, allow_sigquit: bool = False, seconds: float = REQUEST_SECONDS
) -> str:
    """The answer to a diagnostic command such as ``GC.class_histogram -all``.

    Parameters
    ----------
    process : JvmProcess
        As it was found; a later process with its pid is refused.
    command : str
        With its options, separated by blanks.
    allow_sigquit : bool
        Whether a JVM without an attach socket may be sent one SIGQUIT.
    seconds : float
        Time limit of the whole request.

    Raises
    ------
    AttachRefused
        The process is not the one that was looked at, contact would be dangerous, or the JVM
        rejects the command.
    AttachTimeout
        No answer within ``seconds``; the JVM goes on with what it does.
    CollectError
        The protocol cannot express the request.
    """
    return request(process, "jcmd", command, allow_sigquit=allow_sigquit, seconds=seconds)


def request(
    process: JvmProcess,
    command: str,
    *arguments: str,
    allow_sigquit: bool = False,
    seconds: float = REQUEST_SECONDS,
) -> str:
    """The answer to one attach request.

    Parameters
    ----------
    process : JvmProcess
    command : str
        Of the protocol, ``jcmd`` or ``properties``.
    *arguments : str
        Three at most.
    allow_sigquit, seconds
        As for `jcmd`.

    Raises
    ------
    CollectError
        As for `jcmd`.
    """
    message = _encoded(command, arguments)
    deadline = time.monotonic() + seconds
    is_histogram = any(argument.startswith("GC.class_histogram") for argument in arguments)
    most = _MAX_HISTOGRAM_BYTES if is_histogram else _MAX_REPLY_BYTES
    with connect(process, allow_sigquit=allow_sigquit, seconds=min(seconds, _CONNECT_SECONDS)) as connection:
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.sendall(message)
            reply = bytearray()
            while True:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                reply += piece
                if len(reply) > most:
                    raise AttachRefused(f"process {process.pid}: the answer to {command!r} does not end")
        except TimeoutError:
            raise AttachTimeout(
                f"process {process.pid}: no answer to {' '.join([command, *arguments])!r} within "
                f"{seconds:g} s; {why_silent(Path(f'/proc/{process.pid}'))}"
            ) from None
        except OSError as error:
            raise AttachRefused(f"process {process.pid}: the connection broke: {error.strerror}") from None
    status, _, text = reply.decode("utf-8", "replace").partition("\n")
    if not reply:
        raise AttachRefused(
            f"process {process.pid}: "
            + (
                f"it ended before it answered {command!r}"
                if has_ended(process)
                else f"it closed the connection without an answer to {command!r}; try again"
            )
        )
    if status != "0":
        raise AttachRefused(
            f"process {process.pid}: {' '.join([command, *arguments])!r} was rejected with status "
            f"{status or 'none'}: {text.strip() or 'no text'}",
            is_understood=status != _BAD_VERSION,
        )
    return text


def _encoded(command: str, arguments: tuple[str, ...]) -> bytes:
    words = [command.encode(), *(argument.encode() for argument in arguments)]
    words += [b""] * (4 - len(words))
    if len(words) > 4 or len(words[0]) > _MAX_COMMAND_BYTES or b"\0" in b"".join(words):
        raise CollectError(f"{command!r} with {len(arguments)} arguments is no attach request")
    if any(len(word) > _MAX_ARGUMENT_BYTES for word in words[1:]):
        raise CollectError(f"an argument of {command!r} is longer than {_MAX_ARGUMENT_BYTES:,} bytes")
    return b"1\0" + b"".join(word + b"\0" for word in words)


def connect(
    process: JvmProcess, *, allow_sigquit: bool = False, seconds: float = _CONNECT_SECONDS
) -> socket.socket:
    """A connection to the JVM's attach listener; the kernel confirms that it is that process's.

    Parameters
    ----------
    process, allow_sigquit
        As for `jcmd`.
    seconds : float
        Time limit of the connection; a SIGQUIT before it has its own.

    Raises
    ------
    AttachRefused, AttachTimeout
        As for `jcmd`.
    """
    now = _same(process)
    if now.attach == "no":
        raise AttachRefused(f"process {now.pid}: {now.attach_reason}")
    if now.attach == "signal":
        if not allow_sigquit:
            raise AttachRefused(
                f"process {now.pid}: {now.attach_reason}"
                if now.attach_reason not in ("", NO_SOCKET)
                else f"process {now.pid}: it has no attach socket yet and would need a SIGQUIT, which may "
                "kill a process whose host program handles it; pass --allow-sigquit, or start the JVM with "
                "-XX:+StartAttachListener (LIBHDFS_OPTS) so that none is ever needed"
            )
        _open_listener(now)
    if problem := without_descriptors(Path(f"/proc/{now.pid}")):
        raise AttachRefused(f"process {now.pid}: {problem}")
    path = _socket_path(now)
    try:
        folder = target_folder.open_root(now)
        try:
            connection = target_user.connect(target_user.owner_of(now.pid), folder, path.name, seconds)
        finally:
            os.close(folder)
    except OSError as error:
        why = in_the_way(Path(f"/proc/{now.pid}"), now.namespace_pid)
        raise AttachRefused(
            f"process {now.pid}: "
            + (why or f"{path} does not answer: {error.strerror or error}; {as_whom()}")
        ) from None
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if pid != now.pid:
        connection.close()
        raise AttachRefused(f"process {now.pid}: {path} belongs to process {pid}, it was left behind")
    return connection


def _same(process: JvmProcess) -> JvmProcess:
    """The process as it is now, if it is still the one that was found."""
    found = find([process.pid])
    if not found and start_ticks_of(process.pid) == process.start_ticks:
        raise AttachRefused(f"process {process.pid}: it is out of reach of this user; {as_whom()}")
    if not found or found[0].start_ticks != process.start_ticks:
        raise AttachRefused(f"process {process.pid}: it has ended; its pid may be another's now")
    return found[0]


def has_ended(process: JvmProcess) -> bool:
    """Whether a process is gone, or a zombie, or its pid another's."""
    try:
        text = Path(f"/proc/{process.pid}/stat").read_text(errors="replace")
    except OSError:
        return True
    fields = text.rpartition(")")[2].split()
    return fields[0] in ("Z", "X") or int(fields[19]) != process.start_ticks


def _socket_path(process: JvmProcess) -> Path:
    return Path(f"/proc/{process.pid}/root/tmp/.java_pid{process.namespace_pid}")


def _create_trigger(process: JvmProcess, folder: int, name: str) -> None:
    """The file that tells the JVM that a SIGQUIT asks it to listen.

    It looks in its current directory first, then in ``/tmp``, and believes its own user's file only, since
    JDK 11 (JDK-8197387) root's as well.
    """
    owner = target_user.owner_of(process.pid)
    here = Path(f"/proc/{process.pid}/cwd/{name}")
    if (uid := _owner_of(process, here)) is not None:
        _refuse_disbelieved(process, owner, uid, here)
    try:
        target_user.create(owner, folder, name, _CONNECT_SECONDS)
    except FileExistsError:
        uid = os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid
        _refuse_disbelieved(process, owner, uid, Path(f"/proc/{process.pid}/root/tmp/{name}"))


def _owner_of(process: JvmProcess, path: Path) -> int | None:
    """Whose a file in the current directory of a process is; None where there is none.

    That directory may lie on any disk, and whoever looks into one that hangs cannot even be killed: a process
    apart does, and is left behind then.
    """
    asked = subprocess.Popen(
        [*_ASK_OWNER, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert asked.stdout is not None
    with asked.stdout:
        try:
            asked.wait(_CONNECT_SECONDS)
        except subprocess.TimeoutExpired:
            asked.kill()
            raise AttachTimeout(
                f"process {process.pid}: its current directory does not answer within "
                f"{_CONNECT_SECONDS:g} s, and after a SIGQUIT it would look there for {path.name}; "
                "nothing was sent"
            ) from None
        said = asked.stdout.read()
    return int(said) if said else None


def _refuse_disbelieved(process: JvmProcess, owner: target_user.Owner, uid: int, path: Path) -> None:
    is_roots = uid == 0 and process.release >= _FIRST_RELEASE_TO_BELIEVE_ROOT and not owner.is_foreign
    if uid == owner.uid or is_roots:
        return
    name = user_name(uid)
    raise AttachRefused(
        f"process {process.pid}: {path.name} in its {'/tmp' if path.parent.name == 'tmp' else 'folder'} "
        f"belongs to user {name}, so it would take a SIGQUIT for one that is meant to print its threads; "
        f"{'root' if name == 'root' else f'{name} or root'} can remove it (rm {path}); nothing was sent"
    )


def _open_listener(process: JvmProcess) -> None:
    """Ask the JVM, by one SIGQUIT, to open its socket."""
    trigger = f".attach_pid{process.namespace_pid}"
    fd = os.pidfd_open(process.pid)  # from here on the signal cannot reach another process
    try:
        if start_ticks_of(process.pid) != process.start_ticks:
            raise AttachRefused(f"process {process.pid}: it has ended; its pid may be another's now")
        folder = target_folder.open_root(process)
        is_made = False
        try:
            _create_trigger(process, folder, trigger)
            is_made = True
            signal.pidfd_send_signal(fd, signal.SIGQUIT)
            deadline = time.monotonic() + _SIGNAL_SECONDS
            while not (_socket_path(process).is_socket() and is_listening(process.pid)):
                if has_ended(process):
                    raise AttachRefused(
                        f"process {process.pid}: it ended at the SIGQUIT that --allow-sigquit let it have: "
                        "its host program handles that signal itself; start the JVM with "
                        "-XX:+StartAttachListener"
                    )
                if time.monotonic() > deadline:
                    raise AttachTimeout(
                        f"process {process.pid}: no attach socket {_SIGNAL_SECONDS:g} s after SIGQUIT; its "
                        "host program may handle that signal: start the JVM with -XX:+StartAttachListener"
                    )
                time.sleep(0.005)
        finally:
            if is_made:
                with suppress(OSError):
                    os.unlink(trigger, dir_fd=folder)
            os.close(folder)
    except OSError as error:
        raise AttachRefused(f"process {process.pid}: {error.strerror}; {as_whom()}") from None
    finally:
        os.close(fd)
