"""VisualVM's heap library (Debian package ``visualvm``) as an independent reader of dumps."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.jvm import SOURCES, find_javac

_JARS = Path("/usr/share/visualvm/visualvm/modules")
_LIBRARY = "org-graalvm-visualvm-lib-jfluid-heap.jar"


@dataclass(frozen=True)
class BigObject:
    """One of the objects that VisualVM says retain most."""

    object_id: int
    class_name: str
    shallow_bytes: int
    retained_bytes: int
    steps_to_root: int


@dataclass(frozen=True)
class HeapFacts:
    """What VisualVM says of a dump: instances and bytes by class name, and its biggest objects."""

    classes: dict[str, tuple[int, int]]
    biggest: tuple[BigObject, ...]


def find_library() -> Path | None:
    """The jar, None where the package is not installed."""
    jar = _JARS / _LIBRARY
    return jar if jar.exists() else None


def read_facts(dump: Path, folder: Path, count: int) -> HeapFacts:
    """Let VisualVM read a plain dump.

    Parameters
    ----------
    folder : Path
        For the compiled program, and VisualVM's own temporary files.
    count : int
        How many of the biggest objects.
    """
    jar, javac = find_library(), find_javac()
    assert jar is not None
    assert javac is not None
    source = SOURCES / "HeapFacts.java"
    subprocess.run([javac, "-d", str(folder), "-cp", str(jar), str(source)], check=True, timeout=120)
    java = Path(javac).with_name("java")
    command = [java, "-Xmx1g", f"-Djava.io.tmpdir={folder}", "-cp", f"{jar}:{folder}", "HeapFacts"]
    done = subprocess.run(
        [*map(str, command), str(dump), str(count)], capture_output=True, text=True, check=True, timeout=300
    )
    classes: dict[str, tuple[int, int]] = {}
    biggest = []
    for line in done.stdout.splitlines():
        kind, *row = line.split("\t")
        if kind == "class":
            # VisualVM writes the number of a hidden class behind a plus.
            name = row[0].replace("+0x", "/0x")
            before = classes.get(name, (0, 0))
            classes[name] = before[0] + int(row[1]), before[1] + int(row[2])
        elif kind == "object":
            biggest.append(BigObject(int(row[0]), row[1], int(row[2]), int(row[3]), int(row[4])))
    return HeapFacts(classes, tuple(biggest))
