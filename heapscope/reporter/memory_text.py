"""Verdicts of `heapscope.analysis.memory.verdict` in words: titles, evidence and next steps."""

from __future__ import annotations

from heapscope.analysis.memory.verdict import (
    Cause,
    EvidenceKind,
    MemoryEvidence,
    MemoryVerdict,
    Pattern,
)
from heapscope.analysis.thresholds import MIN_SAMPLES, SURE_SECONDS
from heapscope.units import format_bytes, format_count, format_duration

_TITLES: dict[Pattern, str] = {
    "too few samples": "too early to tell, {count} of {needed} samples",
    "nothing grew": "steady, nothing grew",
    "old generation grew in resident memory": "the Java heap fills up",
    "heap grew": "the Java heap grows",
    "heap grew before any collection": "the Java heap grows, or fills with garbage",
    "garbage filled the heap": "garbage fills heap that was committed but never touched",
    "heap and garbage grew": "the Java heap fills with garbage, and with what is held",
    "classes grew": "classes and their loaders pile up",
    "threads grew": "threads pile up",
    "tracked buffers grew": "direct buffers or Unsafe memory grow",
    "untracked mappings grew": "mappings outside the heap grow, direct buffers most likely",
    "untracked malloc grew": "memory from malloc grows, Java's Unsafe memory or native code",
    "main arena grew": "native code leaks memory from malloc",
    "other arenas grew": "malloc's arenas grow: fragments, Unsafe memory, or a leak in native threads",
    "JVM's native memory grew": "the JVM's own native memory grows",
    "untracked native mappings grew": "mappings of native code grow",
    "shared memory grew": "shared memory grows",
    "mapped files grew": "pages of mapped files are resident, which the kernel takes back when it needs them",
    "grew in an unknown place": "it grows, inside the Java heap or outside",
}
# The same where it does not go on, or not surely.
_NOUNS: dict[Pattern, str] = {
    "old generation grew in resident memory": "the old generation",
    "heap grew": "the Java heap",
    "heap grew before any collection": "the Java heap",
    "garbage filled the heap": "garbage in the Java heap",
    "heap and garbage grew": "the Java heap, by garbage and by what is held,",
    "classes grew": "loaded classes",
    "threads grew": "threads",
    "tracked buffers grew": "direct buffers or Unsafe memory",
    "untracked mappings grew": "mappings outside the heap, direct buffers most likely,",
    "untracked malloc grew": "memory from malloc, Java's Unsafe memory or native code,",
    "main arena grew": "native code's memory from malloc",
    "other arenas grew": "malloc's arenas",
    "JVM's native memory grew": "the JVM's own native memory",
    "untracked native mappings grew": "mappings of native code",
    "shared memory grew": "shared memory",
    "mapped files grew": "pages of mapped files",
    "grew in an unknown place": "it",
}
_NEXT_STEPS: dict[Cause, str] = {
    "too early": "watch longer",
    "steady": "nothing to do",
    "java heap": "take heap dumps: heapscope collect {pid} --every 10m --count 3 -o dumps-{pid}, "
    "then heapscope report dumps-{pid} -o dumps-{pid}.html",
    "garbage": "no leak: the heap is filled once with garbage before it is collected; "
    "a smaller -Xmx bounds it",
    "java heap or garbage": "see what survives: heapscope collect {pid} --kind histogram -o dumps-{pid}, "
    "twice, then heapscope trend dumps-{pid}",
    "class loaders": "take a heap dump and look for loaders that are held: heapscope collect {pid} "
    "-o dumps-{pid}, then heapscope suspects --waste dumps-{pid}/*.hprof.zst",
    "threads": "see who starts them: jcmd {pid} Thread.print, or heapscope collect {pid} -o dumps-{pid}, "
    "then heapscope info dumps-{pid}/*.hprof.zst",
    "direct buffers": "see who holds them: heapscope collect {pid} -o dumps-{pid}, then heapscope paths "
    "dumps-{pid}/*.hprof.zst java.nio.DirectByteBuffer; -XX:MaxDirectMemorySize bounds them",
    "malloc": "restart with -XX:NativeMemoryTracking=summary in LIBHDFS_OPTS, then watch again: it tells "
    "Java's part from native code's",
    "native malloc": "the heap is innocent: use a malloc profiler (jemalloc, heaptrack, memray --native)",
    "malloc arenas": "restart with MALLOC_ARENA_MAX=2; if it still grows, C code leaks",
    "native memory": "restart with -XX:NativeMemoryTracking=summary in LIBHDFS_OPTS, then watch again",
    "shared memory": "see who maps it: ls -l /dev/shm; grep -E 'shm|memfd|SYSV|/dev/zero' /proc/{pid}/maps",
    "mapped files": "no leak: these are pages of files on disk; see which: grep / /proc/{pid}/maps",
}
# Where native memory tracking is on already.
_TRACKED_STEPS: dict[Pattern, str] = {
    "JVM's native memory grew": "see which category: heapscope watch {pid} --nmt-baseline --for 30m",
    "untracked native mappings grew": "the heap is innocent: see what native code maps: pmap -X {pid}, "
    "or strace -f -e mmap -k -p {pid}",
}
# Figures are filled in by name: sizes and counts with their sign.
_SENTENCES: dict[EvidenceKind, str] = {
    "old generation inside resident memory": "the old generation after GC grew by {old_after_gc_bytes}, "
    "inside memory that was resident already",
    "old generation": "old generation after GC {old_after_gc_bytes}",
    "heap range unknown": "where the heap lies is not known (no counters, no attach socket)",
    "inside the heap": "{heap_rss_bytes} of it inside the Java heap",
    "inside the heap and old generation": "{heap_rss_bytes} of it inside the Java heap, whose old generation "
    "after GC changed by {old_after_gc_bytes}",
    "inside and outside the heap": "{heap_rss_bytes} of it inside the Java heap, {outside_bytes} outside",
    "no collection yet": "no collection yet has told garbage from what is held",
    "few collections": "too few collections yet to tell garbage from what is held",
    "no whole collection": "no collection of the whole heap lately: the old generation may hold garbage",
    "concurrent collections": "concurrent collections of the whole heap stand for full ones",
    "classes": "classes {class_count}, metaspace {metaspace_bytes}",
    "threads": "threads {thread_count}, virtual size {vsz_bytes}",
    "native memory tracking": "native memory tracking: Other {nmt_other_bytes}, all {nmt_native_bytes}",
    "malloc": "malloc: main arena {malloc_rss_bytes}, other arenas {arena_rss_bytes}",
    "no native memory tracking": "native memory tracking is off: direct buffers, Unsafe memory and native "
    "code look alike; -XX:NativeMemoryTracking=summary (LIBHDFS_OPTS) tells them apart",
    "shared memory": "shared memory (/dev/shm, memfd, shared anonymous mappings) {shared_rss_bytes}",
    "mapped files": "pages of mapped files {file_rss_bytes}",
    "swap": "swapped out: {swap_bytes}",
    "slope": "slope of this growth: {low_bytes} to {high_bytes} an hour (95 %)",
    "slope of minutes": "slope of this growth: {low_bytes} to {high_bytes} a minute (95 %)",
    "at most": "slope: {high_bytes} an hour at most (95 %)",
    "at most of minutes": "slope: {high_bytes} a minute at most (95 %)",
    "levelled off": "levelled off: {bytes} in the last {seconds}",
    "uneven": "it did not rise all the time: {bytes} in the last {seconds}",
    "short watch": "watched for {seconds} only",
}


def verdict_title(verdict: MemoryVerdict) -> str:
    """What grew, in a few words: of all that did, the largest first."""
    titles = []
    for grower in verdict.growers:
        title = _TITLES[grower.pattern].format(count=verdict.sample_count, needed=MIN_SAMPLES)
        if grower.pattern in _NOUNS and grower.state in ("levelled off", "uneven", "flat"):
            how = "grew and levelled off" if grower.state == "levelled off" else "grew, but not all the time"
            title = f"{_NOUNS[grower.pattern]} {how}"
        titles.append(title)
    return "; ".join(dict.fromkeys(titles))


def next_step(verdict: MemoryVerdict) -> str:
    """What to do next, with the commands to type."""
    steps = []
    for grower in verdict.growers:
        step = _TRACKED_STEPS.get(grower.pattern, _NEXT_STEPS[grower.cause]).format(pid=verdict.pid)
        if grower.state == "levelled off":
            step = "watch on: what has levelled off needs no cure"
        elif grower.cause == "steady" and grower.confidence != "high":
            step = "watch longer: slow growth is not excluded"
        elif grower.confidence == "low" and grower.cause not in ("too early", "steady"):
            step = f"watch longer; if it goes on, {step}"
        steps.append(step)
    return "; ".join(dict.fromkeys(steps))


def evidence_sentence(evidence: MemoryEvidence) -> str:
    """What was measured, as a sentence with figures."""
    return _SENTENCES[evidence.kind].format(
        **{name: _figure(name, value) for name, value in evidence.figures.items()}
    )


def describe_verdict(verdict: MemoryVerdict, name: str) -> list[str]:
    """Lines of text for people: the verdict in one, its evidence and the next step below.

    Parameters
    ----------
    verdict : MemoryVerdict
    name : str
        What to call the process, ``worker:0 (pid 4711)`` say.
    """
    pace = ""
    is_growing = any(grower.state == "grows" for grower in verdict.growers)
    if is_growing and verdict.bytes_per_hour is not None:
        # Some minutes do not tell what an hour brings.
        hours, unit = (1, "an hour") if verdict.seconds >= SURE_SECONDS else (1 / 60, "a minute")
        pace = f", {format_bytes(verdict.bytes_per_hour * hours, signed=True)} {unit}"
    size = format_bytes(verdict.growth_bytes, signed=True)
    lines = [f"{name}: {verdict_title(verdict)}"]
    what = "resident and swapped" if verdict.changes.get("swap_bytes") else "resident"
    lines.append(f"    {what} {size} in {format_duration(verdict.seconds)}{pace}")
    lines += [f"    {evidence_sentence(each)}" for each in verdict.evidence]
    lines.append(f"    confidence {confidence_words(verdict)}; next: {next_step(verdict)}")
    return lines


def confidence_words(verdict: MemoryVerdict) -> str:
    """How sure it is: in one word, or of each thing that grew where they differ."""
    if len({grower.confidence for grower in verdict.growers}) == 1:
        return verdict.growers[0].confidence
    return ", ".join(f"{each.confidence} ({_NOUNS[each.pattern].strip(',')})" for each in verdict.growers)


def _figure(name: str, value: float) -> str:
    if name.endswith("seconds"):
        return format_duration(value)
    if name.endswith("_count"):
        return format_count(value, signed=True)
    return format_bytes(value, signed=True)
