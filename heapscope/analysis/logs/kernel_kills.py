"""What the Linux kernel says when it kills for memory: one event a kill, with cgroup, limit, victims.

The lines of one kill, as ``mm/oom_kill.c`` and ``mm/memcontrol.c`` write them (what differs by release in
brackets)::

    C2 CompilerThre invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=985
    Task in /docker/2222 killed as a result of limit of /docker/2222                      [before 4.19]
    memory: usage 2097152kB, limit 2097152kB, failcnt 20211
    Memory cgroup stats for /kubepods.slice/...: ...
    oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/...,task_memcg=/...,task=java,pid=20420,uid=1000
    Memory cgroup out of memory: Kill process 20420 (java) score 1985 or sacrifice child  [before 5.0]
    Killed process 20420 (java) total-vm:7623540kB, anon-rss:2033232kB, file-rss:12000kB, shmem-rss:0kB
    Tasks in /... are going to be killed due to memory.oom.group set
    Memory cgroup out of memory: Killed process 20410 (pause) total-vm:1020kB, anon-rss:4kB, ...
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from heapscope.analysis.logs.events import Above, Found, LogEvent
from heapscope.parser.texts.log_lines import LogLine
from heapscope.units import format_bytes

_PAGE = 4096
_NEAR_LINES = 3000  # a report lists all tasks of the machine between its first line and its last

_INVOKED = re.compile(r"invoked oom-killer: gfp_mask=")
_USAGE = re.compile(r"\bmemory: usage (?P<usage>\d+)kB, limit (?P<limit>\d+)kB, failcnt (?P<count>\d+)")
_STATS = re.compile(r"Memory cgroup stats for (?P<path>/[^\s:]*)")
_RESULT = re.compile(r"Task in (?P<task>/\S*) killed as a result of limit of (?P<path>/\S*)")
_CHOSEN = re.compile(
    r"oom-kill:constraint=(?P<constraint>\w+).*?(?:oom_memcg=(?P<memcg>[^,]*))?(?:,task_memcg=(?P<task>[^,]*))?"
    r",task=(?P<name>.*?),pid=(?P<pid>\d+)"
)
_KILL = re.compile(
    r"(?P<scope>Memory cgroup out of memory|Out of memory(?: \([^)]*\))?): "
    r"[Kk]ill process (?P<pid>\d+) \((?P<name>.*?)\)(?: score (?P<score>\d+))?"
)
_KILLED = re.compile(
    r"(?:(?P<scope>Memory cgroup out of memory|Out of memory(?: \([^)]*\))?): )?"
    r"Killed process (?P<pid>\d+),?(?: \((?P<name>.*?)\)|,? UID \d+,? \((?P<name2>.*?)\)),? ?"
    r"(?:total-vm:(?P<vm>\d+)kB,? ?)?(?:anon-rss:(?P<anon>\d+)kB)?(?:,? file-rss:(?P<file>\d+)kB)?"
    r"(?:,? shmem-rss:(?P<shmem>\d+)kB)?"
)
_GROUP = re.compile(r"Tasks in (?P<path>/\S*) are going to be killed due to memory\.oom\.group set")
_RAM = re.compile(r"(?:^|\] |: )(?P<pages>\d+) pages (?:of )?RAM\b")
_HOPELESS = re.compile(r"Out of memory and no killable processes|System is deadlocked on memory")


@dataclass
class _Kill:
    """One kill that is being read."""

    line: LogLine
    is_group: bool = False
    path: str = ""
    usage_kb: int | None = None
    limit_kb: int | None = None
    fail_count: int | None = None
    is_container: bool | None = None
    ram_bytes: int | None = None
    chosen: str = ""  # "Kill process ..." of an old kernel, whose sizes are on the next line
    chosen_pid: str = ""
    victims: list[tuple[str, str, int | None]] = field(default_factory=list)  # name, pid, resident bytes


class KernelKills(Found):
    """Reads the kernel's reports.

    Attributes
    ----------
    named : list of LogEvent
        Of each victim the line that names it, at once; the event itself is ready when its report has ended.
    """

    wants_all = False
    _kill: _Kill | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.named: list[LogEvent] = []

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        body = line.text
        if self._kill is not None and line.number - self._kill.line.number > _NEAR_LINES:
            self._end()
        if (found := _INVOKED.search(body)) is not None:
            self._end()
            self._kill = _Kill(line)
        elif (found := _KILLED.search(body)) is not None:
            self._killed(line, found)
        elif (found := _KILL.search(body)) is not None:
            self._chosen(line, found)
        elif (found := _GROUP.search(body)) is not None:
            kill = self._begun(line)
            kill.is_group, kill.path = True, kill.path or found["path"]
        elif (found := _USAGE.search(body)) is not None:
            kill = self._begun(line, is_new=True)
            kill.usage_kb, kill.limit_kb = int(found["usage"]), int(found["limit"])
            kill.fail_count = int(found["count"])
        elif (found := _CHOSEN.search(body)) is not None:
            kill = self._begun(line, is_new=True)
            kill.is_container = found["constraint"] == "CONSTRAINT_MEMCG"
            kill.path = found["memcg"] or kill.path
        elif (found := _RESULT.search(body) or _STATS.search(body)) is not None:
            kill = self._begun(line, is_new=True)
            kill.path = kill.path or found["path"]
        elif self._kill is not None and (found := _RAM.search(body)) is not None:
            self._kill.ram_bytes = int(found["pages"]) * _PAGE
        elif _HOPELESS.search(body):
            self._end()
            self.add(line, "oom killer", detail="no process left to kill: the kernel stopped the machine")
        else:
            return False
        return True

    def close(self) -> None:
        """The log has ended."""
        self._end()

    def _begun(self, line: LogLine, *, is_new: bool = False) -> _Kill:
        """The kill that a line belongs to; another one where the last has its victim."""
        if self._kill is not None and self._kill.victims and is_new:
            self._end()
        if self._kill is None:
            self._kill = _Kill(line)
        return self._kill

    def _chosen(self, line: LogLine, found: re.Match[str]) -> None:
        if self._kill is not None and self._kill.victims:
            self._end()
        kill = self._begun(line)
        kill.is_container = found["scope"].startswith("Memory cgroup")
        kill.chosen, kill.chosen_pid = found["name"], found["pid"]

    def _killed(self, line: LogLine, found: re.Match[str]) -> None:
        sizes = [int(found[key]) for key in ("anon", "file", "shmem") if found[key]]
        victim = (found["name"] or found["name2"] or "?", found["pid"], sum(sizes) * 1024 if sizes else None)
        if self._kill is not None and self._kill.victims and not self._kill.is_group:
            first = self._kill.line
            is_near = (line.time, line.uptime) == (first.time, first.uptime)
            if victim in self._kill.victims and is_near:
                return  # the same line in two logs
            self._end()
        kill = self._begun(line)
        if found["scope"]:
            kill.is_container = found["scope"].startswith("Memory cgroup")
        kill.victims.append(victim)
        self.named.append(self.made(line, "oom killer"))

    def _end(self) -> None:
        kill, self._kill = self._kill, None
        if kill is None or not (kill.victims or kill.chosen):
            return  # a report that was cut short says of nobody that he was killed
        victims = kill.victims or [(kill.chosen, kill.chosen_pid, None)]
        name, pid, size = victims[0]
        is_container = kill.limit_kb is not None if kill.is_container is None else kill.is_container
        says = []
        if kill.path:
            says.append(f"cgroup {kill.path.rstrip('/').rsplit('/', 1)[-1] or '/'}")
        if kill.fail_count:
            says.append(f"{kill.fail_count:,} refusals before (failcnt)")
        if kill.ram_bytes is not None and not is_container:
            says.append(f"the machine has {format_bytes(kill.ram_bytes)}")
        if len(victims) > 1:
            others = [f"{other} (pid {number})" for other, number, _ in victims[1:6]]
            more = f" and {len(victims) - 6} more" if len(victims) > 6 else ""
            says.append(f"with it {', '.join(others)}{more} (memory.oom.group)")
        usage = None if kill.usage_kb is None else kill.usage_kb * 1024
        limit = None if kill.limit_kb is None else kill.limit_kb * 1024
        self.add(
            kill.line,
            "oom killer",
            detail=f"{name} ({'container' if is_container else 'machine'} limit)",
            number=None if size is None else float(size),
            victim=f"{name} (pid {pid}{'' if size is None else f', {format_bytes(size)} resident'})",
            usage="" if usage is None else format_bytes(usage),
            limit="" if limit is None else format_bytes(limit),
            usage_bytes=usage,
            limit_bytes=limit,
            says="; ".join(says),
        )
