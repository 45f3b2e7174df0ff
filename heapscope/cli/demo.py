"""``heapscope demo``: the incident that heapscope was made for, on one's own machine."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from heapscope.errors import MissingDependency, NoDemo, OutputExists
from heapscope.reporter.text import printable

# All times are multiplied by it; tests make it smaller.
PACE = 1.0
_LEAK_SECONDS, _CURED_SECONDS = 30.0, 14.0


@click.command(short_help="Replay the libhdfs incident here: find it, cure it, prove it.")
@click.option(
    "--connects",
    type=click.IntRange(30),
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
def demo(connects: int, output: Path) -> None:
    """Start a parameter server and two workers that read HDFS and leak as libhdfs does, then find the leak,
    restart the workers without the variable that causes it, and prove that it is gone. Two minutes; every
    command is printed before it runs.

    Real Hadoop classes in real JVMs: needs heapscope[demo] and a JDK 11 to 23. Without them the same story
    is told from sample_dumps/, where that folder is.
    """
    if output.is_dir() and any(output.iterdir()):
        raise OutputExists(output)
    from heapscope.demo.hadoop import find_hadoop

    story = _Story()
    try:
        hadoop = find_hadoop()
    except (MissingDependency, NoDemo) as error:
        samples = _samples()
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
        with Cluster(hadoop, cluster, connects=connects, seconds=_LEAK_SECONDS * PACE, leaks=True) as started:
            _find(story, started.worker_pids, output)
        _name(story, output)
        story.say(
            "The workers are restarted without KERB_TICKET_CACHE_PATH; KRB5CCNAME names the ticket now."
        )
        with Cluster(
            hadoop, cluster, connects=connects, seconds=_CURED_SECONDS * PACE, leaks=False
        ) as started:
            time.sleep(2.0 * PACE)
            words = map(str, started.worker_pids)
            story.run("collect", *words, "--every", _seconds(5), "--count", "3", "-o", output / "after")
        _prove(story, _series(output / "before"), _series(output / "after"), output)


def _find(story: _Story, pids: Sequence[int], output: Path) -> None:
    # By pid, not by role: workers of somebody else must not be dumped.
    words = list(map(str, pids))
    story.say("Who hosts a JVM? The variable that causes the leak is flagged before anything is asked.")
    story.run("ps", "--role", "worker")
    story.say("What grows? A second terminal watches the workers ...")
    watch = story.start(
        "watch", *words, "--every", _seconds(1), "--for", _seconds(26), "-o", output / "watch.csv"
    )
    story.say("... while heap dumps stream into a folder; nothing is written to the workers' disk.")
    story.run("collect", *words, "--every", _seconds(8), "--count", "3", "-o", output / "before")
    story.say("The second terminal says in the end:")
    story.finish(watch)


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
        "And in a process that was started without the variable? Two dumps of it are too few for 'check'."
    )
    story.run("diff", leak, "--vs", healthy, "--top", "10")
    _report(story, leak, output)


def _seconds(count: float) -> str:
    return f"{count * PACE:g}s"


def _series(folder: Path) -> Path:
    """Dumps of the first worker: of two processes each is a series of its own."""
    return folder / "worker-0.*.hprof.zst"


def _samples() -> Path | None:
    """``sample_dumps/`` here, or in the checkout that heapscope runs from."""
    for folder in (Path("sample_dumps"), Path(__file__).parents[2] / "sample_dumps"):
        if (folder / "leak-1.hprof.gz").exists():
            return folder
    return None


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

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Print a command and let it run in the background."""
        self._print(words)
        return subprocess.Popen(_command(words), stdout=subprocess.PIPE, text=True)

    def finish(self, process: subprocess.Popen[str]) -> None:
        """Wait for a command and print how it ended: its last verdicts."""
        out, _ = process.communicate()
        lines = out.splitlines()
        first = next((place for place, line in enumerate(lines) if line.startswith("worker")), 0)
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines[first:]))
        if process.returncode:
            raise NoDemo(f"'heapscope watch' ended with {process.returncode}")

    def _print(self, words: Sequence[str | Path]) -> None:
        shown = " ".join(str(word) if "*" in str(word) else shlex.quote(str(word)) for word in words)
        sys.stdout.write(f"$ heapscope {shown}\n")
        sys.stdout.flush()


def _command(words: Sequence[str | Path]) -> list[str]:
    expanded: list[str] = []
    for word in words:
        if isinstance(word, Path) and "*" in word.name:
            expanded += sorted(map(os.fspath, word.parent.glob(word.name)))
        else:
            expanded.append(os.fspath(word))
    return [sys.executable, "-m", "heapscope", *expanded]
