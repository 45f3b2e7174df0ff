"""The exit codes of every command; `heapscope.cli` says what each means."""

from __future__ import annotations

OK, FOUND, USAGE, FAILED, TOO_EARLY = 0, 1, 2, 3, 4
BUG, INTERRUPTED, READER_GONE = 70, 130, 141
