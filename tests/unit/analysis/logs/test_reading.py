"""Logs: what is recognised in them, and when it was."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.reading import literal_parts, read_log
from heapscope.errors import HeapscopeError
from heapscope.parser.texts.log_lines import BLOCK, MAX_LINE

DAY = datetime(2026, 11, 23, tzinfo=UTC)


def events(folder: Path, *lines: str, patterns: str | None = None) -> list[LogEvent]:
    path = folder / "a.log"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return list(read_log(path, None if patterns is None else re.compile(patterns)))


@pytest.mark.parametrize(
    ("line", "kind", "detail", "number"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "out of memory error", "Java heap space", None),
        ('Exception in thread "x" java.lang.OutOfMemoryError: Metaspace', "out of memory error", "Metaspace",
         None),
        ("Caused by: java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or "
         "process/resource limits reached", "out of memory error",
         "unable to create native thread: possibly out of memory or process/resource limits reached", None),
        ("26/11/23 09:00:00 DEBUG FileSystem: Starting: Creating FS hdfs://nn:8020", "file system created",
         "hdfs://nn:8020", None),
        ("Creating FS hdfs://nn:8020/: duration 0:00.012s", "file system created", "hdfs://nn:8020/", None),
        ("DEBUG fs.FileSystem: Bypassing cache to create filesystem s3a://b/x", "cache bypassed", "s3a://b/x",
         None),
        ("INFO Login successful for user hive/h@R using keytab file h.keytab. Keytab auto renewal enabled : "
         "false", "keytab login", "hive/h@R", None),
        ("JNI global refs: 2185, weak refs: 0", "jni global references", "threads not listed", 2185.0),
        ("JNI global references: 77", "jni global references", "threads not listed", 77.0),
        ("# A fatal error has been detected by the Java Runtime Environment:", "crash report", "", None),
        ("# Native memory allocation (mmap) failed to map 12288 bytes for committing reserved memory.",
         "native allocation failed", "mmap: the text does not say which limit was reached", 12288.0),
        ("# Native memory allocation (malloc) failed to allocate 4088 bytes for AllocateHeap",
         "native allocation failed", "malloc: the text does not say which limit was reached", 4088.0),
        ("[337533.314412] Memory cgroup out of memory: Killed process 23793 (python3) total-vm:2623712kB, "
         "anon-rss:506500kB, file-rss:1268kB, shmem-rss:0kB, UID:0", "oom killer",
         "python3 (container limit)", (506500 + 1268) * 1024.0),
        ("Nov 23 09:00:00 host kernel: Out of memory: Kill process 12 (java) score 900 or sacrifice child",
         "oom killer", "java (machine limit)", None),
        ("Dumping heap to java_pid12.hprof ...", "heap dump failed",
         "no line says that it was finished", None),
        ("Heap dump file created [1234 bytes in 0.020 secs]", "heap dump written", "", 1234.0),
    ],
)  # fmt: skip
def test_lines(tmp_path: Path, line: str, kind: str, detail: str, number: float | None) -> None:
    (found,) = events(tmp_path, line)
    assert (found.kind, found.detail, found.number, found.line) == (kind, detail, number, 1)


@pytest.mark.parametrize(
    "line",
    [
        "INFO all is well",
        "oom_reaper: reaped process 1 (x)",
        "memory of an OutOfMemoryErrors list",
        "",
        "\x00"[1:],
    ],
)
def test_ordinary_lines(tmp_path: Path, line: str) -> None:
    assert events(tmp_path, line) == []


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("2026-11-23 09:32:55,123 ERROR", DAY.replace(hour=9, minute=32, second=55, microsecond=123_000)),
        ("2026-11-23T09:32:55.5Z ERROR", DAY.replace(hour=9, minute=32, second=55, microsecond=500_000)),
        ("[2026-11-23T09:32:55+02:00] ERROR", DAY.replace(hour=7, minute=32, second=55)),
        ("26/11/23 09:32:55 ERROR", DAY.replace(hour=9, minute=32, second=55)),
        ("time: Mon Nov 23 09:32:55 2026", DAY.replace(hour=9, minute=32, second=55)),
        (
            "Time: Mon Nov 23 09:32:55 2026 UTC elapsed time: 12.5 seconds",
            DAY.replace(hour=9, minute=32, second=55),
        ),
        ("2026-13-45 09:32:55 ERROR", None),
        ("ERROR", None),
    ],
)
def test_times(tmp_path: Path, line: str, when: datetime | None) -> None:
    (found,) = events(tmp_path, line, "java.lang.OutOfMemoryError: Java heap space")
    assert found.time == when  # of the last line that had one


def test_syslog_has_no_year_and_dmesg_has_seconds_since_boot(tmp_path: Path) -> None:
    killed = "Out of memory: Killed process 1 (java) total-vm:1kB, anon-rss:2kB"
    (one, two) = events(tmp_path, f"Nov 23 09:32:55 host kernel: {killed}", f"[  12.5] {killed}")
    assert one.time is not None
    assert (one.time.month, one.time.day, one.time.hour) == (11, 23, 9)
    assert two.uptime == 12.5


def test_the_first_frame_of_the_stack_belongs_to_the_error(tmp_path: Path) -> None:
    found = events(
        tmp_path,
        "java.lang.OutOfMemoryError: Java heap space",
        "\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)",
        "\tat app.Main.main(Main.java:3)",
        "java.lang.OutOfMemoryError: Java heap space",
        "nothing below",
        "INFO",
        "INFO",
        "\tat app.Other.run(Other.java:1)",
    )
    assert [one.frame for one in found] == ["java.base/java.util.Arrays.copyOf(Arrays.java:3537)", ""]


def test_a_file_system_is_counted_once(tmp_path: Path) -> None:
    lines = []
    for _ in range(5):
        lines += ["Starting: Creating FS hdfs://a", "Creating FS hdfs://a: duration 0:00.001s"]
    assert len(events(tmp_path, *lines)) == 5
    assert len(events(tmp_path, *lines[1::2])) == 5


def test_thread_dumps_count_threads(tmp_path: Path) -> None:
    found = events(
        tmp_path,
        "2026-11-23 09:32:55",
        "Full thread dump OpenJDK 64-Bit Server VM (17.0.15+6 mixed mode, sharing):",
        '"main" #1 prio=5 os_prio=0',
        "   java.lang.Thread.State: RUNNABLE",
        '"VM Thread" os_prio=0',
        "JNI global refs: 12, weak refs: 3",
        '"main" is no thread here',
    )
    assert [(one.kind, one.detail, one.number) for one in found] == [
        ("thread dump", "OpenJDK 64-Bit Server VM (17.0.15+6 mixed mode, sharing)", None),
        ("jni global references", "2 threads", 12.0),
    ]
    assert found[1].time == DAY.replace(hour=9, minute=32, second=55)


def test_hs_err_tells_the_time_after_the_event(tmp_path: Path) -> None:
    found = events(
        tmp_path,
        "#",
        "# Native memory allocation (mmap) failed to map 12288 bytes for committing reserved memory.",
        "Time: Mon Nov 23 09:41:00 2026 UTC elapsed time: 12.5 seconds (0d 0h 0m 12s)",
    )
    assert [one.time for one in found] == [DAY.replace(hour=9, minute=41)]


def test_patterns_of_known_leaks(tmp_path: Path) -> None:
    found = events(tmp_path, "something odd", "java.lang.OutOfMemoryError: x odd", patterns="odd")
    assert [one.kind for one in found] == ["known pattern", "out of memory error"]


def test_gzip_long_lines_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    tail = b"java.lang.OutOfMemoryError: Java heap space\n"
    path.write_bytes(
        gzip.compress(b"x" * (3 * MAX_LINE) + b" OutOfMemoryError\n" + b"\xff\xfe caf\xe9 \n" + tail)
    )
    (found,) = read_log(path)
    assert found.line == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"JAVA PROFILE 1.0.2\0\0\0", "this is no text"), (b"\x1f\x8b\x08broken", "a.log: ")],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(content)
    with pytest.raises(HeapscopeError, match=said):
        list(read_log(path))
    with pytest.raises(HeapscopeError, match="No such file"):
        list(read_log(tmp_path / "none"))


def test_what_stands_in_front_of_a_message_is_taken_off(tmp_path: Path) -> None:
    for prefix in (
        "app-1  | ",
        "[pod/pricing-0/pricing] ",
        "2026-11-23T09:00:00.123456789Z stderr F ",
        "Nov 23 09:00:00 host java[123]: ",
        "2026-11-23T09:00:00.12+0000 [APP/PROC/WEB/0] ERR ",
        "INFO   | jvm 1    | 2026/11/23 09:00:00 | ",
    ):
        lines = (
            "java.lang.OutOfMemoryError: Metaspace",
            "\tat a.B.c(B.java:3)",
            "Caused by: x.Y",
            "\t... 3 more",
        )
        (found,) = events(tmp_path, *(prefix + line for line in lines))
        assert (found.detail, found.frame) == ("Metaspace", "a.B.c(B.java:3)"), prefix


def test_colours_and_utf_16(tmp_path: Path) -> None:
    text = "\x1b[31mERROR\x1b[0m \x1b[1mjava.lang.OutOfMemoryError\x1b[0m: Java heap space\r\n\tat a.B.c(B.java:3)\r\n"
    path = tmp_path / "a.log"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding, newline="")
        (found,) = read_log(path)
        assert (found.detail, found.frame, found.line) == ("Java heap space", "a.B.c(B.java:3)", 1), encoding


def test_json_lines_are_unescaped(tmp_path: Path) -> None:
    stack = r"java.lang.OutOfMemoryError: Java heap space\n\tat com.acme.Rows.add(Rows.java:3)\n"
    for line in (
        '{"@timestamp":"2026-11-23T09:00:00Z","level":"ERROR","message":"boom","stack_trace":"'
        + stack
        + '"}',
        '{"time":"2026-11-23T09:00:00Z","stream":"stderr","log":"' + stack + '"}',
        '{"instant":{"epochSecond":1795424400},"level":"ERROR","message":"boom","thrown":{"message":"Java heap space",'
        '"name":"java.lang.OutOfMemoryError","extendedStackTrace":"' + stack + '"}}',
        '{"timestamp":"2026-11-23T09:00:00Z","jsonPayload":{"exception":"' + stack + '"}}',
        '{"__REALTIME_TIMESTAMP":"1795424400000000","MESSAGE":"' + stack + '"}',
    ):
        (found,) = events(tmp_path, line)
        assert (found.detail, found.frame) == ("Java heap space", "com.acme.Rows.add(Rows.java:3)"), line
        assert found.time == DAY.replace(hour=9), line


def test_docker_has_a_json_line_for_each_line_of_the_stack(tmp_path: Path) -> None:
    lines = (
        "java.lang.OutOfMemoryError: Metaspace",
        r"\tat a.B.c(B.java:3)",
        r"\tat a.B.d(B.java:4)",
        "next",
    )
    (found,) = events(
        tmp_path,
        *(f'{{"log":"{line}\\n","stream":"stderr","time":"2026-11-23T09:00:00.5Z"}}' for line in lines),
    )
    assert (found.detail, found.frame, found.line) == ("Metaspace", "a.B.c(B.java:3)", 1)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (["java.util.concurrent.ExecutionException: java.lang.OutOfMemoryError: Java heap space", "\tat a.B.c(B.java:1)",
          "Caused by: java.lang.OutOfMemoryError: Java heap space", "\tat a.B.d(B.java:2)", "\t... 4 more"], 1),
        (["java.lang.OutOfMemoryError: Java heap space", "Dumping heap to x.hprof ...",
          "Heap dump file created [9 bytes in 0.1 secs]",
          'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space', "\tat a.B.d(B.java:2)"], 1),
        (["java.lang.OutOfMemoryError: Java heap space", "Dumping heap to x.hprof ...",
          "Unable to create x.hprof: File exists", "",
          'Exception: java.lang.OutOfMemoryError thrown from the UncaughtExceptionHandler in thread "main"'], 1),
        (["2026-11-23 09:00:00 ERROR threw exception [Handler dispatch failed: java.lang.OutOfMemoryError: Metaspace] "
          "with root cause", "", "java.lang.OutOfMemoryError: Metaspace", "\tat a.B.d(B.java:2)"], 1),
        (["26/11/23 09:00:00 ERROR Executor: Exception in task 1.0 in stage 4.0 (TID 512)",
          "java.lang.OutOfMemoryError: Java heap space", "\tat a.B.d(B.java:2)",
          "26/11/23 09:00:00 WARN TaskSetManager: Lost task 1.0 in stage 4.0 (TID 512) (w1 executor 1): "
          "java.lang.OutOfMemoryError: Java heap space", "\tat a.B.d(B.java:2)"], 1),
        (["java.lang.OutOfMemoryError: PermGen space", "2026-11-23 09:00:00 ERROR boom",
          "java.lang.OutOfMemoryError", "\tat a.B.d(B.java:2)"], 2),
        (["java.lang.OutOfMemoryError: Java heap space", "\tat a.B.d(B.java:2)", "\tat a.B.e(B.java:3)",
          "java.lang.OutOfMemoryError: Java heap space", "\tat a.B.d(B.java:2)"], 2),
        (['[1.2s][warning][os,thread] Failed to start thread "Unknown thread" - pthread_create failed (EAGAIN) for '
          "attributes: stacksize: 1024k, guardsize: 0k, detached.",
          '[1.2s][warning][os,thread] Failed to start the native thread for java.lang.Thread "Thread-635"',
          'Exception in thread "main" java.lang.OutOfMemoryError: unable to create native thread: possibly out of '
          "memory or process/resource limits reached", "\tat java.base/java.lang.Thread.start0(Native Method)"], 1),
    ],
)  # fmt: skip
def test_one_error_is_counted_once(tmp_path: Path, lines: list[str], count: int) -> None:
    found = [event for event in events(tmp_path, *lines) if not event.kind.startswith("heap dump")]
    assert [event.kind for event in found] == ["out of memory error"] * count


@pytest.mark.parametrize(
    ("outcome", "kind", "detail", "dump"),
    [
        ("Heap dump file created [9 bytes in 0.1 secs]", "heap dump written", "x.hprof", "x.hprof"),
        ("Dump file is incomplete: No space left on device", "heap dump failed", "No space left on device", "x.hprof"),
        ("Merged heap dump is incomplete", "heap dump failed", "no reason given", "x.hprof"),
        ("Unable to create x.hprof: Permission denied", "heap dump failed", "Permission denied", ""),
        ("2026-11-23 09:00:00 INFO next", "heap dump failed", "no line says that it was finished", "x.hprof"),
    ],
)  # fmt: skip
def test_outcomes_of_heap_dumps(tmp_path: Path, outcome: str, kind: str, detail: str, dump: str) -> None:
    lines = ("java.lang.OutOfMemoryError: Java heap space", "Dumping heap to x.hprof ...", outcome)
    (found,) = [event for event in events(tmp_path, *lines) if event.kind.startswith("heap dump")]
    assert (found.kind, found.detail, found.dump) == (kind, detail, dump)


def test_lines_are_found_wherever_a_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    filler = b"2026-11-23 09:00:00 INFO nothing to see here\n"
    error = b"java.lang.OutOfMemoryError: Metaspace\n\tat a.B.c(B.java:3)\n"
    for shift in range(0, 2 * len(error), 5):
        head = filler * ((BLOCK - shift) // len(filler))
        path.write_bytes(head + b"x" * (BLOCK - shift - len(head) - 1) + b"\n" + error + filler)
        (found,) = read_log(path)
        assert (found.frame, found.line) == ("a.B.c(B.java:3)", head.count(b"\n") + 2), shift
        assert found.time == DAY.replace(hour=9)


def test_a_pattern_of_which_nothing_can_be_searched_for_is_found_all_the_same(tmp_path: Path) -> None:
    assert literal_parts("Creating FS \\S|(?:a|b)\\d+") == ["Creating FS ", ""]
    found = events(tmp_path, "INFO", "x17y", "INFO", patterns="x\\d+y")
    assert [(event.kind, event.line) for event in found] == [("known pattern", 2)]
