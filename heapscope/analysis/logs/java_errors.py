"""OutOfMemoryErrors with their stacks, the heap dumps that the JVM wrote or failed to write, threads refused.

One error is told several times: by the VM before it dumps (``-XX:+HeapDumpOnOutOfMemoryError``), by the
exception that the thread ends with, by ``Caused by`` below the exception that wraps it, and by whoever logs
it. It is counted once. A text that only names the error, a comment, an option, a page of documentation, is
none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapscope.analysis.logs.events import Above, Found, LogEvent, size_bytes
from heapscope.parser.texts.log_lines import LogLine
from heapscope.units import format_bytes

_STACK_LINES = 2000
_WAIT_LINES = 2  # below the error in which its stack begins
_VM_LINES = 5000  # between the VM's own line and the exception: the dump takes its time
_THREAD_LINES = 50

_CLASS = re.compile(
    r"(?P<name>(?:[A-Za-z_$][\w$]*[./])+[\w$]*(?:OutOfMemory(?:Error|Exception)|OutOfDirectMemoryError))"
    r"(?![\w$])"
)
_KINDS = (
    ("OutOfDirectMemoryError", "netty out of direct memory"),
    ("SparkOutOfMemoryError", "spark out of memory"),
    ("OutOfMemoryException", "library out of memory"),
)
# Errors of other worlds with a like name.
_FOREIGN = ("torch.", "ray.", "System.", "cupy", "numpy.")
_FRAME = re.compile(r"^\s*at (?P<frame>(?:[\w.$-]+/+)*(?:[\w$-]+@[\w.]+/)?[\w.$/<>-]+\([^)]*\))")
_MORE = re.compile(r"^\s*\.\.\. \d+ (?:more|common frames omitted|shared with)")
_BELOW = re.compile(r"^\s*(?:Caused by: |Suppressed: |\[CIRCULAR REFERENCE|Wrapped by: )")
_CAUSE = re.compile(r"\s*(?:Caused by|Suppressed|Wrapped by): ")
_THROWABLE = r"[\w.$/]+(?:Exception|Error|Throwable|Failure)"
_HEAD = re.compile(
    rf"\s*(?:: )?(?:Exception in thread \".*\" |Exception: |(?:Caused by|Suppressed|Wrapped by): "
    rf"|\[CIRCULAR REFERENCE: ?)*"
    rf"(?:{_THROWABLE}: (?:[^:]{{0,120}}: )?)*(?:OutOfMemoryError: [^:]{{0,80}})?"  # the last by libhdfs
)
_WRAPPED = re.compile(rf"{_THROWABLE}(?:: [^:]{{0,120}})?: $")
# What stands between the words of a log line and the error that it passes on.
_PASSED_ON = re.compile(
    r"(?:[:=(\[\-\u2013>,]\s*|nested exception is |due to |because of |caused by |cause[:=]? ?|threw "
    r"|thrown |with |failed: |[Ee]rror |[Ee]xception |reason |\"|')$"
)
_REASON = re.compile(
    r"Java heap space(?:: failed reallocation of scalar replaced objects)?|GC overhead limit exceeded"
    r"|Metaspace|PermGen space|Compressed class space|Direct buffer memory|Map failed|C heap space"
    r"|[Uu]nable to create (?:new )?native thread"
    r"(?:: possibly out of memory or process/resource limits reached)?"
    r"|Requested array size exceeds VM limit|Required array (?:length|size) (?:[\d +-]+ is )?too large"
    r"|Required length exceeds implementation limit|native memory exhausted"
    r"|(?:request \d+ bytes for .{1,80}?\. )?Out of swap space\?|Garbage-collected heap size exceeded"
    r"|Cannot reserve \d+ bytes of direct buffer memory \(allocated: \d+, limit: \d+\)"
    r"|failed to allocate \d+ byte\(s\) of direct memory \(used: -?\d+, max: \d+\)"
    r"|Unable to acquire \d+ bytes of memory, got \d+|Array allocation too large"
    r"|Overflow: String length out of range"
    r"|UTF16 String size is \d+, should be less than \d+|Failed to create a thread: retVal -?\d+, errno \d+"
    r"|Failed to allocate a \d+ byte allocation with \d+ free bytes and \S+ until OOM"
    r"(?:, max allowed footprint \d+)?"
)
_AFTER = re.compile(
    r"[\s\])}\"';,.]*(?:with root cause.*|\. The .*|\. Please .*|, stack.*|at \d{4}.*)?\Z", re.DOTALL
)
_CODE_BEFORE = re.compile(
    r"(?:\bnew|\bcatch\s*\(|\binstanceof|\bthrows?|\bimport|\bclass|\bextends|@\w+|//.*"
    r"|^\s*\*.*|<\w+>.*|`)\s*(?:final )?$"
)
_CODE_AFTER = re.compile(r"\s*(?:[;(){}`]|\.class|\w+\s*[){])")
_THROWN = re.compile(r" (?:thrown from the UncaughtExceptionHandler in thread|occurred dispatching signal)")
# libhdfs, where even the words for the error find no memory (exception.c).
_LIBHDFS = re.compile(r"\(unable to get (?:root cause|stack trace) for java\.lang\.OutOfMemoryError\)")
_ENDED = re.compile(r"(?:Terminating|Aborting) due to java\.lang\.OutOfMemoryError:? ?(?P<reason>.*)$")
_HASH = re.compile(r"^# java\.lang\.OutOfMemoryError: (?P<reason>.+)$")
_HOOK = re.compile(r"^# -XX:OnOutOfMemoryError=")
_J9 = re.compile(r'JVMDUMP039I .*?detail "java/lang/OutOfMemoryError"(?:, exception "(?P<reason>[^"]*)")?')
_USED = re.compile(r"(?:allocated|used): (?P<usage>-?\d+), (?:limit|max): (?P<limit>\d+)")
_ASKED = re.compile(r"(?:reserve|allocate|acquire) (?:a )?(?P<asked>\d+) ?byte")
_NUMBERS = re.compile(r"\d{3,}")

_TASK = re.compile(r"\(TID (?P<task>\d+)\b")  # Spark logs the error of a task where it runs and at the driver

_DUMPING = re.compile(r"Dumping heap to (?P<path>.+?)(?: \.\.\.)?\s*$")
_CREATED = re.compile(r"^\s*Heap dump file created(?: \[(?P<bytes>\d+) bytes|\s*$)")
_INCOMPLETE = re.compile(r"(?:Dump file is incomplete|[Hh]eap dump is incomplete)(?:: (?P<reason>.+))?")
_UNABLE = re.compile(r"^\s*Unable to create (?P<path>.+?): (?P<reason>[^:]+)$")
_J9_DUMP = re.compile(r"JVMDUMP010I (?:Heap|System) dump written to (?P<path>\S+)")
_J9_FAILED = re.compile(r"JVMDUMP012E Error in (?P<what>heap|Heap|system|System) dump: ?(?P<reason>.*)")
_UNFINISHED = "no line says that it was finished"

_THREAD = re.compile(
    r'Failed to start thread (?P<name>"[^"]*")? ?(?:-|with) pthread_create(?: failed)? \((?P<error>E\w+)\)'
    r"(?: for attributes: stacksize: (?P<stack>\d+k))?"
)
_THREAD_TOO = re.compile(r'Failed to start the native thread for java\.lang\.Thread "(?P<name>[^"]*)"')


@dataclass
class _Error:
    """An error that is being read."""

    line: LogLine
    kind: str
    reason: str
    needs_stack: bool
    frame: str = ""
    has_stack: bool = False
    left: int = _WAIT_LINES
    is_vm: bool = False
    takes_frame: bool = True
    task: str = ""

    def is_told_by(self, mention: _Mention) -> bool:
        """Whether a line may speak of the same error."""
        return mention.kind == self.kind and mention.reason in (self.reason, "")


@dataclass(frozen=True, slots=True)
class _Mention:
    kind: str
    reason: str
    needs_stack: bool
    is_head: bool
    is_below: bool  # in the stack of another exception


class JavaErrors(Found):
    """Reads what the JVM and Java programs say when memory is refused."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: _Error | None = None
        self._held: _Error | None = None  # the VM told of it; its exception is to come
        self._hash: _Error | None = None  # "# java.lang.OutOfMemoryError", if the next line is the VM's, too
        self._dump: tuple[LogLine, str] | None = None
        self._thread: tuple[LogLine, LogEvent] | None = None
        self._last_thread_error = -_THREAD_LINES
        self._tasks: set[tuple[str, str]] = set()

    @property
    def wants_all(self) -> bool:
        """Whether a stack is open."""
        return self._open is not None or self._hash is not None

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        if self._hash is not None:
            if _HOOK.match(line.body):
                self._hold(self._hash)
            self._hash = None
        if self._open is not None and self._goes_on(line):
            return True
        return self._begins(line, above)

    def close(self) -> None:
        """The log has ended."""
        self._end()
        self._release()
        self._end_dump("")
        self._end_thread()

    # --- the stack below an error ---

    def _goes_on(self, line: LogLine) -> bool:
        error = self._open
        assert error is not None
        frame = _FRAME.match(line.body)
        if frame is not None:
            if error.takes_frame:
                error.frame, error.takes_frame = frame["frame"], False
            error.has_stack, error.left = True, error.left if error.has_stack else _STACK_LINES
            error.left -= 1
            if error.left <= 0:
                self._end()
            return True
        if error.has_stack and _MORE.match(line.body):
            return True
        mention = _mention(line)
        if mention is not None and mention.is_below and error.has_stack:
            # Of one cause, the innermost is where memory was asked for.
            error.takes_frame = True
            error.reason = error.reason or mention.reason
            return True
        if error.has_stack and _BELOW.match(line.body):
            return True
        if mention is not None:
            if error.is_told_by(mention) and mention.is_head and not error.has_stack and not line.is_logged:
                error.needs_stack, error.left = error.needs_stack and mention.needs_stack, _WAIT_LINES
                return True
            self._end()
            return False
        error.left -= 1
        if error.has_stack or error.left < 0 or line.is_logged:
            self._end()
        return False

    def _end(self) -> None:
        """The stack is over."""
        error, self._open = self._open, None
        if error is None or (error.needs_stack and not error.has_stack):
            return
        if error.is_vm:
            self._hold(error)
        else:
            self._tell(error)

    def _hold(self, error: _Error) -> None:
        if self._held is not None and self._held.reason == error.reason:
            return
        self._release()
        self._held = error

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._tell(held)

    def _tell(self, error: _Error) -> None:
        detail, facts = _detail(error.reason)
        if error.task:
            if (error.task, detail) in self._tasks:
                return
            self._tasks.add((error.task, detail))
        if "native thread" in detail or "create a thread" in detail:
            self._last_thread_error = error.line.number
            if self._thread is not None and error.line.number - self._thread[0].number <= _THREAD_LINES:
                self._thread = None
        self.add(error.line, error.kind, detail=detail, frame=error.frame, **facts)

    # --- where something begins ---

    def _begins(self, line: LogLine, above: Above) -> bool:
        body = line.body
        if (found := _ENDED.search(body)) is not None:
            self._end()
            self._release()
            self.add(line, "jvm ended itself", detail=found["reason"].strip() or "no reason given")
            return True
        if self._is_of_dump(line):
            return True
        if "pthread_create" in body or "native thread for" in body:
            return self._is_thread(line)
        if (found := _HASH.match(body)) is not None:
            self._hash = _Error(line, "out of memory error", found["reason"].strip(), False, is_vm=True)
            return True
        if (found := _J9.search(body)) is not None:
            self._hold(_Error(line, "out of memory error", found["reason"] or "", False, is_vm=True))
            return True
        mention = _mention(line)
        if mention is None:
            return False
        held = self._held
        is_near = held is not None and line.number - held.line.number <= _VM_LINES
        if held is not None and is_near and held.is_told_by(mention):
            self._held, self._open = None, held
            held.is_vm, held.left, held.needs_stack = False, _WAIT_LINES, False
            return True
        task = _TASK.search(line.text) or _TASK.search("".join(above(1)))
        self._open = _Error(line, mention.kind, mention.reason, mention.needs_stack)
        self._open.task = task["task"] if task is not None else ""
        return True

    def _is_of_dump(self, line: LogLine) -> bool:
        body = line.body
        if (found := _DUMPING.search(body)) is not None:
            if self._open is not None and not self._open.has_stack:
                self._open.is_vm = True
                self._end()
            self._end_dump("")
            self._dump = line, found["path"]
            return True
        if (found := _CREATED.search(body)) is not None:
            size = float(found["bytes"]) if found["bytes"] else None
            begun, path = self._dump or (line, "")
            self._dump = None
            self.add(begun, "heap dump written", detail=path, dump=path, number=size)
            return True
        if (found := _INCOMPLETE.search(body)) is not None:
            self._dump = self._dump or (line, "")
            self._end_dump((found["reason"] or "no reason given").strip(), is_partial=True)
            return True
        if self._dump is not None and (found := _UNABLE.match(body)) and found["path"] == self._dump[1]:
            self._end_dump(found["reason"].strip())
            return True
        if (found := _J9_DUMP.search(body)) is not None:
            self.add(line, "heap dump written", detail=found["path"], dump=found["path"])
            return True
        if (found := _J9_FAILED.search(body)) is not None:
            self.add(line, "heap dump failed", detail=found["reason"].strip() or "no reason given")
            return True
        return False

    def _end_dump(self, reason: str, *, is_partial: bool = False) -> None:
        dump, self._dump = self._dump, None
        if dump is None:
            return
        line, path = dump
        is_partial = is_partial or not reason
        says = "what is there can be read with --partial" if is_partial else "nothing was written"
        self.add(line, "heap dump failed", detail=reason or _UNFINISHED, dump=path if is_partial else "",
                 victim=path, says=says)  # fmt: skip

    def _is_thread(self, line: LogLine) -> bool:
        found = _THREAD.search(line.body)
        also = found or _THREAD_TOO.search(line.body)
        if also is None:
            return False
        is_told = line.number - self._last_thread_error <= _THREAD_LINES
        is_open = self._thread is not None and line.number - self._thread[0].number <= _THREAD_LINES
        if is_told or (is_open and found is None):
            return True
        self._end_thread()
        error = found["error"] if found is not None else ""
        stack = f"a stack of {found['stack']}" if found is not None and found["stack"] else ""
        self._thread = line, self.made(line, "thread refused", detail=error, says=stack)
        return True

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            self.ready.append(thread[1])


def _mention(line: LogLine) -> _Mention | None:
    """What a line says of an error: whether it is one, and what would prove it."""
    body = line.body
    if "OutOf" not in body:
        return None
    found = _CLASS.search(body)
    if found is None or found["name"].startswith(_FOREIGN):
        return None
    before, after = body[: found.start()], body[found.end() :]
    kind = next((kind for ending, kind in _KINDS if found["name"].endswith(ending)), "out of memory error")
    if _THROWN.match(after) or _LIBHDFS.search(body):
        return _Mention(kind, "", False, True, False)
    if _CODE_BEFORE.search(before) or _CODE_AFTER.match(after):
        return None
    separator = re.match(r" ?:\s*", after)
    reason = after[separator.end() :].strip() if separator else ""
    reason = reason.removeprefix(f"{found['name']}: ")  # JPype says it twice
    known = _REASON.match(reason)
    is_exact = known is not None and _AFTER.match(reason[known.end() :]) is not None
    if is_exact and known is not None:
        reason = known[0]
    is_head = _HEAD.fullmatch(before) is not None
    if is_head:
        if not separator and after.strip():
            return None  # "java.lang.OutOfMemoryError is thrown when ..."
        is_below = _CAUSE.match(before) is not None
        return _Mention(kind, reason, not (reason and (is_exact or not _is_sentence(reason))), True, is_below)
    is_passed_on = _PASSED_ON.search(before) is not None or _WRAPPED.search(before) is not None
    if not is_passed_on or not (line.is_logged or line.document is not None or _WRAPPED.search(before)):
        return None
    return _Mention(kind, reason, not is_exact, False, False)


def _is_sentence(reason: str) -> bool:
    """Whether what follows the error is prose about it and no reason."""
    return (
        len(reason) > 200 or re.search(r"\b(?:if|when|you|see|means|please|this error)\b", reason) is not None
    )


def _detail(reason: str) -> tuple[str, dict[str, Any]]:
    """What tells errors apart, without numbers that differ each time; and these numbers."""
    if not reason:
        return "no reason given", {}
    facts: dict[str, Any] = {}
    if (used := _USED.search(reason)) is not None:
        usage, limit = int(used["usage"]), int(used["limit"])
        facts = {"usage_bytes": usage, "limit_bytes": limit}
        facts |= {"usage": format_bytes(usage), "limit": format_bytes(limit)}
        reason = reason[: reason.rfind("(")].strip()
    if (asked := _ASKED.search(reason)) is not None:
        facts["says"] = f"{format_bytes(size_bytes(asked['asked']) or 0)} asked for"
        reason = reason.replace(asked["asked"], "N", 1)
    return _NUMBERS.sub("N", reason) if facts else reason[:200], facts
