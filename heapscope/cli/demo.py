"""``heapscope demo``: the incident that heapscope was made for, on one's own machine."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import click

from heapscope.errors import MissingDependency, NoDemo, OutputExists
from heapscope.isolated_python import isolated_python
from heapscope.reporter.text import printable

if TYPE_CHECKING:
    from heapscope.demo.cluster import Cluster

# Snapshots before the cure, and after it, at so many equal parts of the reads: of fewer, none names a leak.
_SNAPSHOTS = 3
# The fewest reads of each worker: two thirds of them, 70 kB each, are more than the 8 MB from which on
# 'watch' speaks of growth.
_LEAST_CONNECTS = 240
# Samples before the reads that are watched, and after: more of these would show a heap that has levelled off.
_SAMPLES_BEFORE, _SAMPLES_AFTER = 3, 1
_POLL_SECONDS = 0.1


@click.command()
@click.option(
    "--connects",
    type=click.IntRange(_LEAST_CONNECTS),
    default=300,
    show_default=True,
    help="Reads of each worker; each leaves a file system behind.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("heapscope-demo"),
    show_default=True,
    help="What is collected and reported; must not exist or be empty.",
)
@click.option("--from-samples", is_flag=True, help="Tell it from sample_dumps/: no Hadoop, one minute.")
def demo(connects: int, output: Path, from_samples: bool) -> None:
    """Start a parameter server and two workers that read HDFS and leak as libhdfs does, then find the leak,
    restart the workers without the variable that causes it, and prove that it is gone. Some minutes; every
    command is printed before it runs, and waits for the reads, not for the clock.

    Real Hadoop classes in real JVMs: needs the extra "demo" and a JDK 11 to 23. Without them, or with
    --from-samples, the same story is told from sample_dumps/, where that folder is.

    \b
    heapscope demo --from-samples
    """
    if output.is_dir() and any(output.iterdir()):
        raise OutputExists(output)
    from heapscope.demo.hadoop import find_hadoop

    story = _Story()
    samples = _samples()
    if from_samples:
        if samples is None:
            raise NoDemo(
                "there is no folder sample_dumps/ here; heapscope's repository has it: run this in a clone"
            )
        _from_samples(story, samples, output)
        return
    try:
        hadoop = find_hadoop()
    except (MissingDependency, NoDemo) as error:
        if samples is None:
            raise
        story.say(f"{error}.", "So here is the same story, told from dumps that were taken before.")
        _from_samples(story, samples, output)
    else:
        from heapscope.demo.cluster import Cluster
        from heapscope.demo.hadoop import stage

        cluster = (output / "cluster").absolute()
        stage(cluster)
        story.say(
            f"A parameter server and two workers start. Each worker reads HDFS {connects} times "
            f"as TensorFlow 1.13 does, through Hadoop {hadoop.version} in a JVM of its own "
            f"(JDK {hadoop.release})."
        )
        with Cluster(hadoop, cluster, leaks=True) as started:
            _find(story, started, connects, output)
        _name(story, output)
        story.say(
            "The workers are restarted without KERB_TICKET_CACHE_PATH; KRB5CCNAME names the ticket now."
        )
        with Cluster(hadoop, cluster, leaks=False) as started:
            for done in _parts(connects):
                started.read_until(done)
                _collect(story, started, done, output / "after")
        _prove(story, _series(output / "before"), _series(output / "after"), output)


def _parts(connects: int) -> list[int]:
    """Reads that are done when a snapshot is taken."""
    return [connects * part // _SNAPSHOTS for part in range(1, _SNAPSHOTS + 1)]


def _find(story: _Story, cluster: Cluster, connects: int, output: Path) -> None:
    pids = cluster.worker_pids
    first, *parts = _parts(connects)
    story.say("Who hosts a JVM? The variable that causes the leak is flagged before anything is asked.")
    story.run("ps", "--role", "worker")
    cluster.read_until(first)
    story.say("What grows? A second terminal watches the workers ...")
    samples = output / "watch.csv"
    watch = story.start("watch", *map(str, pids), "--every", "1s", "-o", samples)
    try:
        _await_samples(watch.process, samples, pids, _SAMPLES_BEFORE)
        story.say(
            "... while heap dumps stream into a folder after every so many reads; nothing is written to the "
            "workers' disk."
        )
        _collect(story, cluster, first, output / "before")
        for done in parts:
            cluster.read_until(done)
            _collect(story, cluster, done, output / "before")
        _await_samples(watch.process, samples, pids, _SAMPLES_AFTER)
        story.say("The second terminal is ended with Ctrl-C, and says:")
        story.finish(watch)
    finally:
        if watch.process.poll() is None:
            watch.process.kill()
            watch.process.wait()


def _collect(story: _Story, cluster: Cluster, done: int, folder: Path) -> None:
    # By pid, not by role: workers of somebody else must not be dumped.
    story.run("collect", *map(str, cluster.worker_pids), "--work", str(done), "-o", folder)


def _await_samples(watch: subprocess.Popen[bytes], path: Path, pids: Sequence[int], more: int) -> None:
    """Wait until a watch has written so many samples more of each process.

    Raises
    ------
    NoDemo
        The watch ended.
    """
    wanted = {pid: count + more for pid, count in _sample_counts(path, pids).items()}
    while any(count < wanted[pid] for pid, count in _sample_counts(path, pids).items()):
        if watch.poll() is not None:
            raise NoDemo(f"'heapscope watch' ended with {watch.returncode} before its samples were there")
        time.sleep(_POLL_SECONDS)


def _sample_counts(path: Path, pids: Sequence[int]) -> dict[int, int]:
    if not path.exists():
        return dict.fromkeys(pids, 0)
    with path.open(newline="") as file:
        rows = Counter(row["pid"] for row in csv.DictReader(file))
    return {pid: rows[str(pid)] for pid in pids}


def _name(story: _Story, output: Path) -> None:
    story.run("plot", output / "watch.csv", "-o", output / "watch.png", is_quiet=True)
    story.say("What is it, why, and what to do?")
    story.run("diagnose", _series(output / "before"))


def _prove(story: _Story, before: Path, after: Path, output: Path) -> None:
    story.say("Is it cured?")
    story.run("check", before, "--against", after)
    _report(story, before, output)


def _report(story: _Story, before: Path, output: Path) -> None:
    story.say("And the page for the ticket:")
    story.run("report", before, "-o", output / "incident.html")


def _from_samples(story: _Story, samples: Path, output: Path) -> None:
    story.say("What is it, why, and what to do?")
    story.run("diagnose", samples / "leak-*.hprof.gz")
    output.mkdir(parents=True, exist_ok=True)
    leak, healthy = samples / "leak-*.hprof.gz", samples / "healthy-*.hprof.gz"
    story.say(
        "Is it cured? The other dumps are of a process that was started without the variable. How often each "
        "had read by then is known, so two of them are enough."
    )
    reads = _reads(samples)
    done = [",".join(str(reads[name]) for name in _names(dumps)) for dumps in (leak, healthy)]
    story.run("check", leak, "--against", healthy, "--work", done[0], "--work-after", done[1])
    _report(story, leak, output)


def _reads(samples: Path) -> dict[str, int]:
    """How often the process of each sample dump had read, by the dump's name."""
    facts = json.loads((samples / "expected.json").read_text(encoding="utf-8"))
    return {snapshot["file"]: snapshot["connects"] for snapshot in facts["snapshots"]}


def _series(folder: Path) -> Path:
    """Dumps of the first worker: of two processes each is a series of its own."""
    return folder / "worker-0.*.hprof.zst"


def _samples() -> Path | None:
    """``sample_dumps/`` here, or in the checkout that heapscope runs from."""
    for folder in (Path("sample_dumps"), Path(__file__).parents[2] / "sample_dumps"):
        if (folder / "leak-1.hprof.gz").exists():
            return folder
    return None


class _Started(NamedTuple):
    """A command in the background, and the file that takes what it says."""

    process: subprocess.Popen[bytes]
    said: IO[str]


class _Story:
    """Explains what happens, and runs commands as a reader would type them."""

    def say(self, *sentences: str) -> None:
        text = printable(" ".join(sentences))
        sys.stdout.write(f"\n{click.wrap_text(text, 79, preserve_paragraphs=False)}\n\n")
        sys.stdout.flush()

    def run(self, *words: str | Path, is_quiet: bool = False) -> None:
        """Print and run a command; patterns are expanded as a shell does."""
        self._print(words)
        done = subprocess.run(_command(words), stdout=subprocess.DEVNULL if is_quiet else None, check=False)
        if done.returncode:
            raise NoDemo(f"'heapscope {words[0]}' ended with {done.returncode}; what it said is above")

    def start(self, *words: str | Path) -> _Started:
        """Print a command and let it run in the background."""
        self._print(words)
        # A file takes all it says; a pipe that nobody reads would stop it once that is full.
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by `finish`
        return _Started(subprocess.Popen(_command(words), stdout=said), said)

    def finish(self, started: _Started) -> None:
        """End a command as Ctrl-C does and print how it ended: its last verdicts."""
        started.process.send_signal(signal.SIGINT)
        code = started.process.wait()
        with started.said as file:
            file.seek(0)
            lines = file.read().splitlines()
        first = next((place for place, line in enumerate(lines) if line.startswith("worker")), 0)
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines[first:]))
        if code:
            raise NoDemo(f"'heapscope watch' ended with {code}")

    def _print(self, words: Sequence[str | Path]) -> None:
        shown = " ".join(str(word) if "*" in str(word) else shlex.quote(str(word)) for word in words)
        sys.stdout.write(f"$ heapscope {shown}\n")
        sys.stdout.flush()


def _names(pattern: Path) -> list[str]:
    """What a shell makes of a pattern, without the folder."""
    return sorted(path.name for path in pattern.parent.glob(pattern.name))


def _command(words: Sequence[str | Path]) -> list[str]:
    expanded: list[str] = []
    for word in words:
        if isinstance(word, Path) and "*" in word.name:
            expanded += [os.fspath(word.parent / name) for name in _names(word)]
        else:
            expanded.append(os.fspath(word))
    return isolated_python("heapscope", *expanded)
