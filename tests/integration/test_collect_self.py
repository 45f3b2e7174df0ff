"""Snapshots from within: the JVM of this very process, whoever started it, serves afterwards.

A process has one JVM in its life, so each of these runs a script of its own, which writes down what it found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heapscope
from tests.support.hosts import libjvm
from tests.support.jvm import compile_java, find_jdks

pytestmark = pytest.mark.jvm
RELEASES = sorted(find_jdks())
NODES = 12_500

# Prints "ready" to the JVM's own output, which is why results go into a file.
HEAD = """
import ctypes, json, os, sys, threading, time
jvm, classes, folder, *options = sys.argv[1:]
results = {}

def by_jpype():
    import jpype
    jpype.startJVM(jvm, *options, classpath=[classes])

def by_jni():
    # As libhdfs does, without JPype: JNI_CreateJavaVM of a library that is loaded here.
    class Option(ctypes.Structure):
        _fields_ = [("text", ctypes.c_char_p), ("extra", ctypes.c_void_p)]
    class Arguments(ctypes.Structure):
        _fields_ = [("version", ctypes.c_int32), ("count", ctypes.c_int32),
                    ("options", ctypes.POINTER(Option)), ("ignore", ctypes.c_uint8)]
    words = [f"-Djava.class.path={classes}", *options]
    given = (Option * len(words))(*[Option(word.encode(), None) for word in words])
    arguments = Arguments(0x00010006, len(words), given, 0)
    vm, env = ctypes.c_void_p(), ctypes.c_void_p()
    status = ctypes.CDLL(jvm).JNI_CreateJavaVM(ctypes.byref(vm), ctypes.byref(env), ctypes.byref(arguments))
    assert status == 0

def fill():
    # The heap of Ticker, from another thread: main() waits for the end of standard input.
    from heapscope.collector import jni
    def run():
        with jni.attached(jni.created_vm()) as java:
            words = java.array("java/lang/String", [java.string("1")])
            kind = java.find_class("Ticker")
            identity = java.checked("GetStaticMethodID", kind, b"main", b"([Ljava/lang/String;)V")
            java.checked("CallStaticObjectMethodA", kind, identity, jni._values([jni.reference(words)]))
    threading.Thread(target=run, daemon=True).start()
    deadline = time.monotonic() + 30
    while f" {12500} " not in jni.diagnostic_command(jni.created_vm(), "GC.class_histogram"):
        assert time.monotonic() < deadline
        time.sleep(0.05)

def is_attached():
    # JNI's own word on this thread: GetEnv, the seventh of the invocation interface.
    from heapscope.collector import jni
    vm, env = jni.created_vm(), ctypes.c_void_p()
    get_env = jni._table(vm)[6]
    call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)(get_env)
    return call(vm, ctypes.cast(ctypes.byref(env), ctypes.c_void_p), 0x00010006) == 0

def take(**options):
    import heapscope
    notices = []
    try:
        taken = heapscope.collect_self(folder, notice=notices.append, **options)
    except heapscope.HeapscopeError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"path": str(taken.path), **taken.facts, "notices": notices}

def serves():
    from heapscope.collector import jni
    return "JDK" in jni.diagnostic_command(jni.created_vm(), "VM.version")
"""
TAIL = """
with open(os.path.join(folder, "results.json"), "w") as file:
    json.dump(results, file)
os._exit(0)
"""


def run(body: str, release: int, folder: Path, *options: str) -> dict[str, Any]:
    jdk = find_jdks()[release]
    words = [str(libjvm(jdk)), str(compile_java("Ticker")), str(folder), *options]
    done = subprocess.run(
        [sys.executable, "-c", HEAD + body + TAIL, *words],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def check_dump(facts: dict[str, Any], mode: str) -> None:
    assert facts.get("error") is None, facts
    assert (facts["method"], facts["mode"]) == ("embedded", mode)
    with heapscope.open(facts["path"]) as heap:
        assert len(heap.objects("Ticker$Node")) == NODES


@pytest.mark.parametrize("start", ["by_jpype", "by_jni"])
@pytest.mark.parametrize("release", RELEASES)
def test_a_snapshot_from_within(release: int, start: str, tmp_path: Path) -> None:
    body = f"""
{start}()
fill()
results["histogram"] = take(kind="histogram")
results["dump"] = take(kind="dump")
results["is_main_attached"] = is_attached()
def in_a_thread():
    results["thread"] = take(kind="histogram")
    results["is_thread_attached"] = is_attached()
thread = threading.Thread(target=in_a_thread)
thread.start()
thread.join()
results["serves"] = serves()
"""
    results = run(body, release, tmp_path)
    # No attach socket at first: its SIGQUIT handler is seen to be the JVM's own, so a FIFO can be had.
    check_dump(results["dump"], "stream")
    assert f" {NODES} " in Path(results["histogram"]["path"]).read_text()
    # The thread that made the JVM belongs to it, one that only asked does not any more.
    assert (results["is_main_attached"], results["is_thread_attached"]) == (True, False)
    assert results["serves"]


@pytest.mark.parametrize(
    ("release", "option", "mode"),
    [
        *((release, "-Xrs", "stream") for release in RELEASES),
        *((release, "-XX:+DisableAttachMechanism", "file") for release in RELEASES),
        *((release, "-XX:-UsePerfData", "stream") for release in RELEASES[:1]),
    ],
)
def test_from_within_no_option_shuts_us_out(release: int, option: str, mode: str, tmp_path: Path) -> None:
    body = """
by_jni()
fill()
results["dump"] = take()
results["all"] = take(live=False, stream=False)
results["histogram"] = take(kind="histogram")
results["serves"] = serves()
"""
    results = run(body, release, tmp_path, option)
    assert any("DisableAttachMechanism" in line for line in results["dump"]["notices"]) == (mode == "file")
    check_dump(results["dump"], mode)
    check_dump(results["all"], "file")
    assert f" {NODES} " in Path(results["histogram"]["path"]).read_text()
    assert option in results["dump"]["jvm_options"]["command_line"]
    assert results["serves"]
    assert list(tmp_path.glob(".*")) == []


def test_a_programs_own_sigquit_handler_is_seen_from_within_and_not_called(tmp_path: Path) -> None:
    body = """
import signal
by_jni()
fill()
from heapscope.collector.embedded import owns_sigquit
results["before"] = owns_sigquit()
called = []
signal.signal(signal.SIGQUIT, lambda *_: called.append(1))
results["after"] = owns_sigquit()
results["dump"] = take()
results["called"] = len(called)
results["serves"] = serves()
"""
    results = run(body, RELEASES[0], tmp_path)
    assert (results["before"], results["after"], results["called"]) == (True, False, 0)
    check_dump(results["dump"], "file")
    assert "SIGQUIT" in results["dump"]["notices"][0]
    assert results["serves"]


def test_other_python_threads_go_on_while_java_works(tmp_path: Path) -> None:
    """Java opens a FIFO, which waits for a writer: a Python thread that comes once Java waits for it."""
    body = """
by_jni()
from heapscope.collector import jni
fifo = os.path.join(folder, "fifo")
os.mkfifo(fifo)
def write():
    while True:  # refused until Java waits in its open
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
            return
        except OSError:
            results["tries"] = results.get("tries", 0) + 1
            time.sleep(0.001)
writer = threading.Thread(target=write)
writer.start()
with jni.attached(jni.created_vm()) as java:
    results["opened"] = bool(java.new("java/io/FileInputStream", "(Ljava/lang/String;)V",
                                      jni.reference(java.string(fifo))))
writer.join()
"""
    assert run(body, RELEASES[0], tmp_path)["opened"]


def test_a_forked_child_is_told_so(tmp_path: Path) -> None:
    body = """
by_jni()
child = os.fork()
if child == 0:
    results["child"] = take(kind="histogram")
else:
    os.waitpid(child, 0)
    with open(os.path.join(folder, "results.json")) as file:
        results = json.load(file)
    results["serves"] = serves()
"""
    results = run(body, RELEASES[0], tmp_path)
    assert results["child"]["error"].startswith("JvmNotFound")
    assert "forked" in results["child"]["error"]
    assert results["serves"]


def test_refusals_of_the_jvm_are_its_own_words(tmp_path: Path) -> None:
    body = """
by_jni()
from heapscope.collector import jni
vm = jni.created_vm()
for name, call in {
    "command": lambda: jni.diagnostic_command(vm, "No.such_thing"),
    "folder": lambda: jni.dump_heap(vm, folder + "/not/there.hprof", live=True),
}.items():
    try:
        call()
    except jni.JavaError as error:
        results[name] = str(error)
def text(words):
    with jni.attached(vm) as java:
        return java.text(java.string(words))
words = ("", "plain", "gr\\N{LATIN SMALL LETTER U WITH DIAERESIS}n \\N{PILE OF POO}", "a\\0b")
results["texts"] = [text(word) == word for word in words]
results["references"] = all(serves() for _ in range(2000))
"""
    results = run(body, RELEASES[0], tmp_path)
    assert "NoSuchMethodException" in results["command"]
    assert "No such file" in results["folder"]
    assert results["texts"] == [True] * 4
    assert results["references"]


def test_a_library_without_a_jvm_is_told_apart(tmp_path: Path) -> None:
    results = run('ctypes.CDLL(jvm)\nresults["mapped"] = take()\n', RELEASES[0], tmp_path)
    assert "no JVM was created yet" in results["mapped"]["error"]
