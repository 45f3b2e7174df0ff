"""Counts and bytes of every class equal ``GC.class_histogram`` of the same JVM, to the byte.

Every JDK that is found takes part (see ``tests/support/jvm.py``), under the options that
change how objects are laid out.
"""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import heapscope
from heapscope.parser.texts.class_histogram import read_histogram
from tests.support.jvm import Jdk, find_javac, find_jcmd, find_jdks, java

SERIAL, PARALLEL, G1, Z = (f"-XX:+Use{name}GC" for name in ("Serial", "Parallel", "G1", "Z"))
WIDE = "-XX:-UseCompressedOops"
WIDE_CLASSES = "-XX:-UseCompressedClassPointers"
COMPACT = "-XX:+UseCompactObjectHeaders"
ALIGN_16, ALIGN_32 = "-XX:ObjectAlignmentInBytes=16", "-XX:ObjectAlignmentInBytes=32"

ALL_RELEASES: list[tuple[str, ...]] = [
    (),
    (G1,),
    (SERIAL,),
    (PARALLEL,),
    (Z,),
    (WIDE,),
    (SERIAL, WIDE),
    (ALIGN_16,),
    (SERIAL, ALIGN_16),
    (G1, ALIGN_32),
    (G1, "-Xshare:off"),
]
UP_TO_24: list[tuple[str, ...]] = [(WIDE_CLASSES,), (SERIAL, WIDE_CLASSES, WIDE)]
SINCE_25: list[tuple[str, ...]] = [
    (COMPACT,),
    (SERIAL, COMPACT),
    (Z, COMPACT),
    (SERIAL, COMPACT, WIDE),
    (COMPACT, ALIGN_16),
]
# The releases the rules were made from; those of them that are not installed have no tests here.
RELEASES = [release for release in (11, 17, 21, 25) if release in find_jdks()] or [17]
MATRIX = [
    (release, options)
    for release in RELEASES
    for options in [*ALL_RELEASES, *(UP_TO_24 if release < 25 else SINCE_25)]
]
NAMES = [f"{release}{''.join(options).replace('-XX:', ' ')}" for release, options in MATRIX]

Histogram = dict[str, tuple[int, int]]  # class -> instances, bytes
Captures = dict[tuple[int, tuple[str, ...]], Future[Path]]
_HIDDEN = re.compile(r"/0x[0-9a-f]+")


def options_for(jdk: Jdk, options: tuple[str, ...]) -> list[str]:
    is_new = jdk.release < 15 and Z in options
    return [*(["-XX:+UnlockExperimentalVMOptions"] if is_new else []), *options]


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Captures:
    """A dump and a class histogram beside it for all of the matrix, made two at a time."""
    if find_javac() is None or find_jcmd() is None:
        pytest.skip("needs javac and jcmd: install a JDK, or name one in HEAPSCOPE_TEST_JDKS")
    folder = tmp_path_factory.mktemp("zoo")

    def capture(jdk: Jdk, row: int, options: tuple[str, ...]) -> Path:
        path = folder / f"{row}.hprof"
        with java(jdk, "Zoo", *options_for(jdk, options)) as jvm:
            path.with_suffix(".histo").write_text(jvm.quiet_dump(path))
        return path

    with ThreadPoolExecutor(2) as pool:
        return {
            key: pool.submit(capture, find_jdks()[key[0]], row, key[1])
            for row, key in enumerate(MATRIX)
            if key[0] in find_jdks()
        }


def vm_histogram(path: Path) -> Histogram:
    text = read_histogram(path.with_suffix(".histo"))
    return _summed(text.class_names, text.instance_counts, text.shallow_bytes)


def dump_histogram(path: Path) -> Histogram:
    with heapscope.open(path) as heap:
        assert heap.layout.confidence == "exact"
        frame = heap.class_histogram(as_jvm=True)
        columns = (frame[column].tolist() for column in ("class_name", "instance_count", "shallow_bytes"))
        found = _summed(*columns)
        # Without as_jvm only these may differ: the dump has no rows for the rest.
        plain = heap.class_histogram().set_index("class_name")
        full = frame.set_index("class_name")
        hidden = {"java.lang.Class", "int[]", heap.vm_objects.filler_name}
        assert plain.drop(index=hidden, errors="ignore").equals(
            full.drop(index=hidden, errors="ignore").loc[plain.drop(index=hidden, errors="ignore").index]
        )
    return found


def _summed(names: list[str], counts: list[int], sizes: list[int]) -> Histogram:
    found: Histogram = {}
    for name, count, size in zip(names, counts, sizes, strict=True):
        # Up to JDK 14 a dump has the name of a lambda's class without the address a class
        # histogram shows.
        _add(found, _HIDDEN.sub("", name), count, size)
    return found


def _add(histogram: Histogram, name: str, count: int, size: int) -> None:
    before = histogram.get(name, (0, 0))
    histogram[name] = before[0] + count, before[1] + size


def differences(path: Path) -> dict[str, object]:
    """Class -> what the dump gave, what the VM counted; where they are not the same."""
    found, expected = dump_histogram(path), vm_histogram(path)
    names = sorted(set(found) | set(expected))
    return {
        name: (found.get(name), expected.get(name)) for name in names if found.get(name) != expected.get(name)
    }


@pytest.mark.parametrize(("release", "options"), MATRIX, ids=NAMES)
def test_every_class_agrees_with_the_jvm(captures: Captures, release: int, options: tuple[str, ...]) -> None:
    if (release, options) not in captures:
        pytest.skip(f"no JDK {release} here; name one in HEAPSCOPE_TEST_JDKS")
    path = captures[release, options].result()
    expected = vm_histogram(path)
    assert expected["Zoo$MixedMore"][0] == expected["Zoo$MyThreadMore"][0] == 3  # the zoo is in there
    assert differences(path) == {}


def test_a_compressed_dump_agrees_too(tmp_path: Path) -> None:
    jdk = next((jdk for release, jdk in sorted(find_jdks().items(), reverse=True) if release >= 16), None)
    if jdk is None or find_javac() is None or find_jcmd() is None:
        pytest.skip("needs a JDK of 16 or later, with javac and jcmd")
    path = tmp_path / "zoo.hprof"
    with java(jdk, "Zoo", SERIAL) as jvm:
        path.with_suffix(".histo").write_text(jvm.quiet_dump(path, gz=1))
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert differences(path) == {}


def test_garbage_is_not_taken_for_fillers(tmp_path: Path) -> None:
    """A dump of all objects has dead ``int[]`` as well: they stay ``int[]``."""
    jdk = next((jdk for release, jdk in sorted(find_jdks().items(), reverse=True) if release >= 21), None)
    if jdk is None or find_javac() is None or find_jcmd() is None:
        pytest.skip("needs a JDK of 21 or later, with javac and jcmd")
    path = tmp_path / "zoo.hprof"
    with java(jdk, "Zoo", SERIAL, arguments=["garbage"]) as jvm:
        jvm.dump(path, live=False)
    with heapscope.open(path) as heap:
        hidden = heap.vm_objects
    assert hidden.filler_name
    assert hidden.filler_count == 0


def test_dumps_of_the_serviceability_agent(tmp_path: Path) -> None:
    """``jhsdb jmap --binaryheap``: one HEAP_DUMP, no end record, traces before the heap."""
    jdk = find_jdks().get(17)
    if jdk is None or find_javac() is None or find_jcmd() is None:
        pytest.skip("needs JDK 17, javac and jcmd")
    jhsdb = jdk.home / "bin" / "jhsdb"
    if not jhsdb.exists():
        pytest.skip(f"no {jhsdb}")
    path = tmp_path / "agent.hprof"
    with java(jdk, "Zoo", SERIAL) as jvm:
        path.with_suffix(".histo").write_text(jvm.quiet_dump(tmp_path / "own.hprof"))
        command = [str(jhsdb), "jmap", "--binaryheap", "--dumpfile", str(path), "--pid", str(jvm.pid)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not path.exists():
            pytest.skip(f"jhsdb may not attach here: {(done.stderr or done.stdout).strip()[-200:]}")
    assert dump_histogram(path) == vm_histogram(path)
    with heapscope.open(path) as heap:
        main = next(thread for thread in heap.threads() if thread.name == "main")
    assert main.frames[-1].method == "main"
