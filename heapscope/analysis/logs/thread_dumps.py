"""Thread dumps with their count of JNI global references, and file systems that Hadoop makes."""

from __future__ import annotations

import re
from pathlib import Path

from heapscope.analysis.logs.events import Above, Found
from heapscope.parser.texts.log_lines import LogLine

_DUMP = re.compile(r"Full thread dump (?P<vm>\S.*?(?:VM|JVM)\b.*?):?\s*$")
_THREAD = re.compile(r'^"[^"]*" ')
_JNI = re.compile(r"^JNI global ref(?:s|erences): (?P<refs>\d+)(?:, weak refs: (?P<weak>\d+))?")
_LINES = 500_000
_CREATED = re.compile(r"Creating FS (?P<uri>\S+?)(?:: duration\b.*)?$")
_STARTING = re.compile(r"Starting: Creating FS (?P<uri>\S+)")


class ThreadDumps(Found):
    """Reads ``jstack``, ``jcmd Thread.print`` and what SIGQUIT prints."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._count = -1  # -1: in no thread dump
        self._left = 0

    @property
    def wants_all(self) -> bool:
        """Whether threads are counted."""
        return self._count >= 0

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        body = line.body
        if self._count >= 0:
            self._left -= 1
            if _THREAD.match(body):
                self._count += 1
                return True
        if (found := _JNI.match(body)) is not None:
            # The thread dump may be missing, in a log that was filtered for these lines, say.
            threads = f"{self._count} threads" if self._count >= 0 else "threads not listed"
            self.add(line, "jni global references", detail=threads, number=float(found["refs"]))
            self._count = -1
            return True
        if (found := _DUMP.match(body)) is not None:
            self._count, self._left = 0, _LINES
            self.add(line, "thread dump", detail=found["vm"])
            return True
        if self._left <= 0:
            self._count = -1
        return False

    def close(self) -> None:
        """Nothing is kept open."""


class FileSystems(Found):
    """Reads Hadoop's lines on new file systems: it writes one before each is made and one after."""

    wants_all = False
    _has_starts = False

    def take(self, line: LogLine, above: Above) -> bool:
        """See `heapscope.analysis.logs.events.LineReader`."""
        if "Creating FS" not in line.text:
            return False
        if (found := _STARTING.search(line.text)) is not None:
            self._has_starts = True
        else:
            found = _CREATED.search(line.text)
            if found is None or self._has_starts:
                return found is not None
        self.add(line, "file system created", detail=found["uri"])
        return True

    def close(self) -> None:
        """Nothing is kept open."""
