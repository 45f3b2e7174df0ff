"""Other programs that read heap dumps, where they are installed, and what each is told to do.

hprof-slurp and hprof-analyzer are looked for on the PATH, Eclipse MAT's ``ParseHeapDump.sh`` there and in
``MAT_HOME``, VisualVM's heap library where Debian's package ``visualvm`` puts it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COUNTS = "class histogram"
SIZES = "dominators and retained sizes"

_VISUALVM = Path("/usr/share/visualvm/visualvm/modules/org-graalvm-visualvm-lib-jfluid-heap.jar")
_COUNTER = Path(__file__).with_name("ClassCounts.java")
_MOST_BYTES = 4_000_000_000  # of memory that a peer in a JVM may have


@dataclass(frozen=True)
class Contender:
    """A program and one job of it.

    Attributes
    ----------
    name, version : str
    job : str
        `COUNTS` or `SIZES`.
    command : callable
        What to run, of the dump and an empty folder for what it writes.
    largest_bytes : int
        Of a dump that it is given; 0 for no limit.
    """

    name: str
    version: str
    job: str
    command: Callable[[Path, Path], list[str]]
    largest_bytes: int = 0


def contenders(scratch: Path) -> list[Contender]:
    """heapscope, and the peers that are installed.

    Parameters
    ----------
    scratch : Path
        For programs that have to be compiled.
    """
    own = [sys.executable, "-m", "heapscope"]
    version = _said([*own, "--version"])
    found = [
        Contender("heapscope", version, COUNTS, lambda dump, folder: [*own, "histogram", str(dump)]),
        Contender(
            "heapscope",
            version,
            SIZES,
            lambda dump, folder: [*own, "suspects", str(dump), "--index-dir", str(folder)],
        ),
    ]
    if slurp := shutil.which("hprof-slurp"):
        found.append(
            Contender(
                "hprof-slurp",
                _said([slurp, "--version"]),
                COUNTS,
                lambda dump, folder: [slurp, "-i", str(dump)],
            )
        )
    if analyzer := shutil.which("hprof-analyzer"):
        found.append(
            Contender(
                "hprof-analyzer",
                _said([analyzer, "--version"]),
                SIZES,
                lambda dump, folder: [analyzer, str(dump), str(folder / "report.json")],
            )
        )
    return found + _mat() + _visualvm(scratch)


def _mat() -> list[Contender]:
    script = shutil.which("ParseHeapDump.sh", path=os.environ.get("MAT_HOME") or None)
    if script is None:
        return []

    def command(dump: Path, folder: Path) -> list[str]:
        link = _linked(dump, folder)
        memory = [f"-Xmx{_MOST_BYTES >> 20}m"]
        return [script, str(link), "org.eclipse.mat.api:suspects", "-vmargs", *memory]

    feature = next(Path(script).parent.glob("features/org.eclipse.mat.feature_*"), None)
    version = feature.name.rpartition("_")[2] if feature else "unknown"
    return [Contender("Eclipse MAT", version, SIZES, command)]


def _visualvm(scratch: Path) -> list[Contender]:
    java, javac = shutil.which("java"), shutil.which("javac")
    if not _VISUALVM.exists() or java is None or javac is None:
        return []
    subprocess.run([javac, "-d", str(scratch), "-cp", str(_VISUALVM), str(_COUNTER)], check=True)

    def command(dump: Path, folder: Path) -> list[str]:
        return [
            java, f"-Xmx{_MOST_BYTES >> 20}m", f"-Djava.io.tmpdir={folder}",
            "-cp", f"{_VISUALVM}:{scratch}", "ClassCounts", str(_linked(dump, folder)),
        ]  # fmt: skip

    package = shutil.which("dpkg-query")
    version = _said([package, "-W", "-f", "${Version}", "visualvm"]) if package else "unknown"
    return [
        Contender("VisualVM's library", version, COUNTS, command),
        # Ten minutes for a dump of 2 GB.
        Contender(
            "VisualVM's library", version, SIZES, lambda *where: [*command(*where), "retained"], 200_000_000
        ),
    ]


def _linked(dump: Path, folder: Path) -> Path:
    """The dump in a folder of its own: what is kept beside it would spare the work of the next round."""
    link = folder / dump.name
    if folder.is_dir():
        link.symlink_to(dump.absolute())
    return link


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout or done.stderr).split()
    return next((word for word in words if word[:1].isdigit()), "unknown")
