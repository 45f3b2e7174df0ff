"""Processes for tests: what `heapscope.collector.processes` says of a JVM, and this very process."""

from __future__ import annotations

import os

from heapscope.collector.processes import JvmProcess, start_ticks


def jvm_process(pid: int | None = None) -> JvmProcess:
    """A process that hosts a JVM and can be attached to; by default the one that runs the test."""
    number = os.getpid() if pid is None else pid
    return JvmProcess(
        pid=number,
        namespace_pid=number,
        start_ticks=start_ticks(number) or 1,
        user="me",
        command=("java",),
        role=None,
        task_index=None,
        is_embedded=False,
        is_started=True,
        jvm_version=None,
        libjvm="/x/lib/server/libjvm.so",
        heap=None,
        vsz_bytes=0,
        rss_bytes=1000,
        age_seconds=0.0,
        attach="yes",
        attach_reason="",
    )
