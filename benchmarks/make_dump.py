"""Make the benchmark's heap dumps: run HeapGenerator in a JDK and let jcmd dump it.

::

    python benchmarks/make_dump.py --scale 1 --gz

writes ``build/bench/heap-1.hprof`` (about 2 GB, 33 million objects), the same live JVM's
class histogram ``heap-1.histogram.txt`` and with ``--gz`` the variant the JDK compresses itself
(``-gz=1``, many gzip members) ``heap-1.hprof.gz``.  Files that are there already stay;
a new file gets its name only when it is whole.  Needs a JDK with javac, 11 or newer (``-gz``: 17),
or any javac on the PATH beside a JDK without one.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GENERATOR = Path(__file__).with_name("HeapGenerator.java")
ROOT = GENERATOR.parents[1]

# Live data is about 1.3 GB at scale 1.  The collector needs room to copy while it grows.
HEAP_MB_BASE = 150
HEAP_MB_PER_SCALE = 2850


def jdk_tool(jdk: Path | None, name: str) -> str:
    """Path of a JDK tool: of the JDK given, else of the PATH.

    Raises
    ------
    SystemExit
        If there is none.
    """
    if jdk is not None and (jdk / "bin" / name).exists():
        return str(jdk / "bin" / name)
    found = shutil.which(name)
    if found is None or (jdk is not None and name != "javac"):
        raise SystemExit(f"no {name} in {jdk or 'the PATH'}; install a JDK or pass --jdk DIR")
    return found


def make_dump(
    scale: float,
    directory: Path,
    *,
    jdk: Path | None = None,
    gz: bool = False,
    jvm_options: tuple[str, ...] = (),
    label: str = "",
) -> list[Path]:
    """Write the dump and histogram of one scale, where they are missing.

    Parameters
    ----------
    scale : float
        1 is about 2 GB and 33 million objects; linear.
    directory : Path
        Where the files go; made if missing.
    jdk : Path or None
        Home of the JDK; None takes the tools on the PATH.
    gz : bool
        Also write the dump as ``jcmd GC.heap_dump -gz=1`` compresses it (JDK 17 or newer).
    jvm_options : tuple of str
        More options, for example another collector.
    label : str
        Goes into the file names after the scale, so that JDKs and options do not mix.

    Returns
    -------
    list of Path
        Dump, histogram and, if asked for, compressed dump.

    Raises
    ------
    SystemExit
        If the JDK is missing, or the generator or a dump failed.
    """
    stem = f"heap-{scale:g}{label}"
    dump = directory / f"{stem}.hprof"
    histogram = directory / f"{stem}.histogram.txt"
    compressed = directory / f"{stem}.hprof.gz"
    wanted = [dump, histogram] + ([compressed] if gz else [])
    if all(path.exists() for path in wanted):
        return wanted
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".making-") as scratch:
        made = _run_generator(scale, Path(scratch), jdk, gz, jvm_options)
        # All of one JVM together: a histogram beside the dump of another run would mislead.
        for source, target in zip(made, wanted, strict=True):
            source.replace(target)
    return wanted


def _run_generator(
    scale: float, scratch: Path, jdk: Path | None, gz: bool, jvm_options: tuple[str, ...]
) -> list[Path]:
    javac, java, jcmd = (jdk_tool(jdk, name) for name in ("javac", "java", "jcmd"))
    compile_ = [javac, "--release", "11", "-nowarn", "-d", str(scratch), str(GENERATOR)]
    subprocess.run(compile_, check=True)
    command = [
        java,
        f"-Xmx{round(HEAP_MB_BASE + HEAP_MB_PER_SCALE * scale)}m",
        "-XX:+StartAttachListener",  # or the first jcmd starts a thread between dump and histogram
        *jvm_options,
        "-cp",
        str(scratch),
        "HeapGenerator",
        "--scale",
        str(scale),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
        assert generator.stdin is not None
        assert generator.stdout is not None
        if generator.stdout.readline() != "ready\n":
            raise SystemExit(f"the generator failed: {' '.join(command)}")

        def ask(*words: str) -> str:
            return subprocess.run(
                [jcmd, str(generator.pid), *words], check=True, capture_output=True, text=True
            ).stdout

        # The first collection queues cleanable objects; their cleaner drops them after it.  Dump when
        # a collection no longer changes anything, or the histogram would disagree with the dump.
        before, text = "", ask("GC.class_histogram")
        for _ in range(10):
            if text == before:
                break
            before, text = text, ask("GC.class_histogram")
        dump, histogram, compressed = (scratch / name for name in ("dump", "histogram", "compressed"))
        for path, options in [(dump, [])] + ([(compressed, ["-gz=1"])] if gz else []):
            answer = ask("GC.heap_dump", *options, str(path))
            if "Heap dump file created" not in answer:  # a failed dump exits with 0 too
                generator.kill()
                raise SystemExit(f"jcmd GC.heap_dump failed: {answer}")
        histogram.write_text(ask("GC.class_histogram").split("\n", 1)[1])  # less the line "PID:"
        generator.stdin.close()
    return [dump, histogram] + ([compressed] if gz else [])


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the benchmark's heap dumps.")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 2 GB (default)")
    parser.add_argument("--jdk", type=Path, help="home of the JDK (default: the tools on the PATH)")
    parser.add_argument("--gz", action="store_true", help="also a dump compressed by the JDK (-gz=1)")
    parser.add_argument("--jvm-option", action="append", default=[], help="for example -XX:+UseZGC")
    parser.add_argument("--label", default="", help="goes into the file names, for example -jdk25")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "bench", help="directory")
    options = parser.parse_args(arguments)
    for path in make_dump(
        options.scale,
        options.output,
        jdk=options.jdk,
        gz=options.gz,
        jvm_options=tuple(options.jvm_option),
        label=options.label,
    ):
        print(f"{path}  {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
