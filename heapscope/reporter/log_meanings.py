"""What events in logs mean, in words: for a reader who sees them the first time, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from heapscope.parser.texts.logs import Kind

# A title, and what it means.
_MEANINGS: Mapping[Kind, tuple[str, str]] = {
    "out of memory error": (
        "OutOfMemoryError: the JVM could not get memory",
        "Who was refused is seldom who took it. Take a heap dump (-XX:+HeapDumpOnOutOfMemoryError, or "
        "'heapscope collect PID -o dumps'), and run 'heapscope diagnose dumps'.",
    ),
    "file system created": (
        "Hadoop made a new file system (Creating FS)",
        "One for each cluster and user is right. Where the number goes on growing, each is left behind: take "
        "three heap dumps ('heapscope collect PID -o dumps --every 10m --count 3'), and run "
        "'heapscope diagnose dumps'.",
    ),
    "cache bypassed": (
        "Hadoop made a file system past its cache (fs.*.impl.disable.cache)",
        "Each must be closed by whoever asked for it; nobody else will.",
    ),
    "keytab login": (
        "A login from a keytab",
        "Once at the start is right. A login for each piece of work leaves a file system behind each time.",
    ),
    "thread dump": ("Thread dumps", "They show what the threads did at that moment."),
    "jni global references": (
        "JNI global references, as thread dumps count them",
        "Their number should stay the same. Where it grows, native code does not give back what it holds: "
        "'heapscope diagnose' on a heap dump names the class.",
    ),
    "crash report": (
        "The JVM crashed (hs_err)",
        "The lines below 'Problematic frame' name the library; memory is to blame only where the report says "
        "so.",
    ),
    "native allocation failed": (
        "The system refused memory to the JVM",
        "The machine or the container is full, be it by this process or by others: 'heapscope ps' shows "
        "sizes.",
    ),
    "oom killer": (
        "The kernel's OOM killer ended a process",
        "At the container limit the process is too large for its container; at the machine limit all of them "
        "together are. Java heap, direct buffers, threads and C code all count.",
    ),
    "heap dump written": ("The JVM wrote a heap dump", "Run 'heapscope diagnose' on it."),
    "known pattern": ("Lines that hint at a known leak", "See the leaks named below."),
}
# An OutOfMemoryError's reason: what ran out.
_REASONS = (
    ("Java heap space", "the Java heap is full of objects that are still referred to"),
    ("GC overhead limit exceeded", "nearly all time goes into collecting garbage, and nearly none is found"),
    ("Metaspace", "classes fill their memory: class loaders that cannot go, mostly"),
    ("Compressed class space", "classes fill their memory: class loaders that cannot go, mostly"),
    ("direct buffer", "direct buffers (memory outside of the heap) reached their limit"),
    ("Direct buffer", "direct buffers (memory outside of the heap) reached their limit"),
    (
        "native thread",
        "the system gave no more threads: limits of the user or the container, or threads that never end",
    ),
    ("Requested array size", "one array was to be larger than an array can be: a wrong length, mostly"),
    ("Map failed", "the system gave no more address space or mappings (vm.max_map_count)"),
)


def title_of(kind: Kind) -> str:
    """What events of a kind are called."""
    return _MEANINGS[kind][0]


def meaning_of(kind: Kind) -> str:
    """What events of a kind mean, and what to do next."""
    return _MEANINGS[kind][1]


def reason_of(detail: str) -> str:
    """What ran out, for the reason that an OutOfMemoryError gives; empty for an unknown one."""
    return next((meaning for reason, meaning in _REASONS if reason in detail), "")
