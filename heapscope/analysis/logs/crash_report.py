"""``hs_err_pidN.log``: what the JVM asked for, and the limit that the file itself shows to be reached.

HotSpot's ``vmError.cpp`` writes the same words to the console first.  "The machine is full" is said only
where MemAvailable, or the cgroup, says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from heapscope.analysis.logs.events import Above, Found, size_bytes
from heapscope.analysis.thresholds import LIMIT_REACHED, LITTLE_AVAILABLE, MAPS_REACHED
from heapscope.parser.texts.log_lines import LogLine
from heapscope.units import format_bytes, format_count

_NATIVE = re.compile(
    r"Native memory allocation \((?P<how>\w+)\) failed to (?:map|allocate|reserve|commit) "
    r"(?P<bytes>\d+) bytes"
    r"(?:\. Error detail: (?P<detail>.+)| for (?P<for>.+))?"
)
_COMMIT = re.compile(
    r"os::(?:pd_)?(?:commit|reserve)_memory\(0x[0-9a-f]+, (?P<bytes>\d+)(?:, \d+)*\) failed; "
    r"error='(?P<error>[^']*)'"
)
_FEW = re.compile(r"^# There is insufficient memory for the Java Runtime Environment to continue")
_FATAL = re.compile(r"^# A fatal error has been detected by the Java Runtime Environment")
_FRAME = re.compile(r"^# (?P<frame>[CVJjv]  ?\S.*)$")
_SIGNAL = re.compile(r"^#  (?P<signal>SIG\w+|EXCEPTION_\w+|Internal Error[^,]*|Out of Memory Error[^,]*)")
_PID = re.compile(r"pid=(?P<pid>\d+)")
_RLIMIT = re.compile(r"^rlimit(?: \(soft/hard\))?: (?P<all>.+)$")
_ONE_LIMIT = re.compile(r"(?P<name>[A-Z]+) (?P<soft>infinity|\d+k?)")
_MEMINFO = re.compile(r"^(?P<key>MemTotal|MemFree|MemAvailable|SwapFree):\s+(?P<kb>\d+) kB")
_VIRTUAL = re.compile(r"^Virtual Size: (?P<kb>\d+)K")
_RESIDENT = re.compile(r"^Resident Set Size: (?P<kb>\d+)K")
_MAX_MAPS = re.compile(r"max_map_count .*?: (?P<count>\d+)")
_THREADS_MAX = re.compile(r"threads-max .*?: (?P<count>\d+)")
_PID_MAX = re.compile(r"pid_max .*?: (?P<count>\d+)")
_THREAD_LIST = re.compile(r"_java_thread_list=\S+, length=(?P<count>\d+)")
_A_THREAD = re.compile(r"^(?:=>)?\s*0x[0-9a-f]+ (?:Java)?Thread ")
_MAPS = re.compile(r"^Total number of mappings: (?P<count>\d+)")
_A_MAP = re.compile(r"^[0-9a-f]{8,16}-[0-9a-f]{8,16} [r-][w-][x-][ps] ")
_CGROUP = re.compile(
    r"^(?P<key>memory_limit_in_bytes|memory_usage_in_bytes|memory_max_usage_in_bytes|maximum number of tasks|"
    r"current number of tasks): (?P<value>\d+|unlimited|not supported)(?P<k> k)?"
)
_COMMAND = re.compile(r"^(?:Command Line|jvm_args): (?P<words>.*)$")
_HEAP = re.compile(r"-Xmx(?P<size>\d+[kKmMgG]?)|-XX:MaxHeapSize=(?P<bytes>\d+[kKmMgG]?)")
_END = re.compile(r"^END\.\s*$")
_LINES = 200_000
_HEADER_LINES = 60  # of a report on the console, which ends with its header


@dataclass
class _Report:
    """One report that is being read."""

    line: LogLine
    is_memory: bool
    is_file: bool = False  # more than the header is there
    left: int = _HEADER_LINES
    how: str = ""
    what_for: str = ""
    asked: float | None = None
    frame: str = ""
    signal: str = ""
    pid: str = ""
    time: LogLine | None = None
    limits: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    cgroup: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    thread_count: int = 0
    map_count: int = 0
    heap_bytes: int | None = None


class CrashReports(Found):
    """Reads reports of crashes and refusals."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: _Report | None = None

    @property
    def wants_all(self) -> bool:
        """Whether a report is open."""
        return self._open is not None

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        report, body = self._open, line.text
        begins = _FEW.match(body) or _FATAL.match(body)
        if report is not None and begins and report.signal:
            self._end()
            report = None
        refused = _COMMIT.search(body) or _NATIVE.search(body)
        if report is None:
            if begins is None and refused is None:
                return False
            report = self._open = _Report(line, is_memory=_FATAL.match(body) is None)
        if refused is not None:
            _refused(report, refused)
            return True
        report.left -= 1
        if body.startswith(("---------------", "======")):
            report.is_file, report.left = True, _LINES
        if report.left <= 0 or _END.match(body):
            self._end()
            return True
        if body.startswith(("Time: ", "time: ")) and line.is_dated:
            report.time = line
        _take_fact(report, body)
        # On a console, others write on below the header.
        return body.startswith("#") or report.is_file or bool(begins)

    def close(self) -> None:
        """The log has ended."""
        self._end()

    def _end(self) -> None:
        report, self._open = self._open, None
        if report is None:
            return
        line = report.line
        if report.time is not None:
            line = LogLine(line.number, line.text, line.body, report.time.time, None, True, False)
        victim = f"pid {report.pid}" if report.pid else ""
        if not report.is_memory:
            self.add(line, "crash report", detail=report.signal, frame=report.frame, victim=victim)
            return
        reached = reached_limit(report)
        says = [f"for {report.what_for}" if report.what_for else "", *_notes(report)]
        self.add(
            line,
            "native allocation failed",
            detail=": ".join(part for part in (report.how, reached) if part),
            number=report.asked,
            victim=victim,
            says="; ".join(part for part in says if part),
        )


def _refused(report: _Report, refused: re.Match[str]) -> None:
    part = refused.groupdict()
    report.is_memory = True
    report.how = report.how or part.get("how") or "mmap"
    report.asked = float(part["bytes"]) if report.asked is None else report.asked
    report.what_for = (part.get("detail") or part.get("for") or report.what_for).strip(". ")


def _take_fact(report: _Report, text: str) -> None:
    """What one line of a report says of limits and of memory."""
    if text.startswith("#"):
        if (found := _SIGNAL.match(text)) is not None:
            report.signal = found["signal"].strip()
        if (found := _FRAME.match(text)) is not None and not report.frame:
            report.frame = found["frame"]
        if (found := _PID.search(text)) is not None:
            report.pid = found["pid"]
        return
    if (found := _RLIMIT.match(text)) is not None:
        for one in _ONE_LIMIT.finditer(found["all"]):
            if one["soft"] != "infinity":
                number = float(one["soft"].rstrip("k"))
                report.limits[one["name"]] = number * 1024 if one["soft"].endswith("k") else number
    elif (found := _MEMINFO.match(text)) is not None:
        report.memory.setdefault(found["key"], int(found["kb"]) * 1024)
    elif (found := _VIRTUAL.match(text)) is not None:
        report.memory["Virtual"] = int(found["kb"]) * 1024
    elif (found := _RESIDENT.match(text)) is not None:
        report.memory["Resident"] = int(found["kb"]) * 1024
    elif (found := _CGROUP.match(text)) is not None:
        if found["value"].isdigit():
            report.cgroup[found["key"]] = float(found["value"]) * (1024 if found["k"] else 1)
    elif (found := _THREAD_LIST.search(text)) is not None:
        report.counts["threads"] = int(found["count"])
    elif _A_THREAD.match(text):
        report.thread_count += 1
    elif (found := _MAPS.match(text)) is not None:
        report.map_count = int(found["count"])
    elif _A_MAP.match(text):
        report.map_count += 1
    elif (found := _MAX_MAPS.search(text)) is not None:
        report.counts["max_map_count"] = int(found["count"])
    elif (found := _THREADS_MAX.search(text)) is not None:
        report.counts["threads-max"] = int(found["count"])
    elif (found := _PID_MAX.search(text)) is not None:
        report.counts["pid_max"] = int(found["count"])
    elif (found := _COMMAND.match(text)) is not None and report.heap_bytes is None:
        heap = list(_HEAP.finditer(found["words"]))
        if heap:
            report.heap_bytes = size_bytes(heap[-1]["size"] or heap[-1]["bytes"])


def reached_limit(report: _Report) -> str:
    """The limit that a report shows to be reached, in words; or that it shows none."""
    threads = report.counts.get("threads", report.thread_count)
    address = report.limits.get("AS")
    virtual = report.memory.get("Virtual")
    if (
        address is not None
        and virtual is not None
        and virtual + (report.asked or 0) >= LIMIT_REACHED * address
    ):
        return (
            f"the limit of the address space is reached (ulimit -v: {format_bytes(address)}, "
            f"in use {format_bytes(virtual)})"
        )
    most = report.counts.get("max_map_count")
    if most is not None:
        if report.map_count >= LIMIT_REACHED * most:
            return (
                f"{format_count(report.map_count)} memory maps reach vm.max_map_count ({format_count(most)})"
            )
        if threads * 2 >= MAPS_REACHED * most:
            return (
                f"{format_count(threads)} threads with two memory maps each reach vm.max_map_count "
                f"({format_count(most)})"
            )
    limit, usage = report.cgroup.get("memory_limit_in_bytes"), report.cgroup.get("memory_usage_in_bytes")
    if limit and usage is not None and usage + (report.asked or 0) >= LIMIT_REACHED * limit:
        return f"the container is full ({format_bytes(usage)} of {format_bytes(limit)})"
    tasks, current = (
        report.cgroup.get("maximum number of tasks"),
        report.cgroup.get("current number of tasks"),
    )
    if tasks and current is not None and current >= LIMIT_REACHED * tasks:
        return f"the container's limit of tasks is reached ({format_count(current)} of {format_count(tasks)})"
    for name, limit_count in (("ulimit -u", report.limits.get("NPROC")), *_thread_limits(report)):
        if limit_count and threads >= LIMIT_REACHED * limit_count:
            return f"{format_count(threads)} threads reach {name} ({format_count(limit_count)})"
    total, available = report.memory.get("MemTotal"), report.memory.get("MemAvailable")
    if total and available is not None:
        if available < max(LITTLE_AVAILABLE * total, report.asked or 0):
            return f"the machine is full (MemAvailable {format_bytes(available)} of {format_bytes(total)})"
        return (
            f"the file shows no limit that is reached, and {format_bytes(available)} of "
            f"{format_bytes(total)} are available"
        )
    if report.is_file:
        return "the file shows no limit that is reached"
    return "the text does not say which limit was reached"


def _thread_limits(report: _Report) -> list[tuple[str, int | None]]:
    return [(name, report.counts.get(name)) for name in ("threads-max", "pid_max")]


def _notes(report: _Report) -> list[str]:
    """What else should be seen: a heap that leaves no room in its container."""
    limit = report.cgroup.get("memory_limit_in_bytes")
    if limit and report.heap_bytes and report.heap_bytes >= 0.85 * limit:
        return [
            f"-Xmx is {format_bytes(report.heap_bytes)} and the container's limit {format_bytes(limit)}: "
            "no room for what is outside of the heap"
        ]
    return []
