"""What the watchdog of a dump is told to do; it gets it as JSON on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from heapscope.collector.buffer import DEFAULT_BYTES
from heapscope.collector.disk import Disk
from heapscope.collector.stream import Filter


@dataclass(frozen=True, slots=True)
class Job:
    """One dump.

    Attributes
    ----------
    root, folder, name : int, str, str
        An open directory of the target, the folder to make in it, and the dump's name in that.
    is_streamed, is_split : bool
        Through a FIFO; and through a second one, as JDK 22 and later write.
    owner : (int, int) or None
        Effective user and group to take for all that is done there.
    output, output_fd, output_folder_fd : str, int, int
        The file to fill, made by heapscope, which holds a lock on it; and its folder, opened.
    seconds, stall_seconds : float
        Limits of the pause, and of a reader that reads nothing though bytes wait.
    buffer_bytes : int
        Memory between reader and writer.
    min_free_bytes : int or None
        What stays free on the output's disk; None for the default of `Disk`.
    expected_bytes : int
        About how long the dump will be.
    through : Filter or None
        What the dump flows through before it is written; only of a stream.
    into : Filter or None
        What takes in the dump instead of a file: `heapscope.collector.answerer.Work`; only of a stream.
    facts_fd : int
        What is known of the process, as JSON, for ``into``; -1 where that is None.
    is_linked : bool
        Whether what the JVM opens are links that lead nowhere when all of us are gone.
    """

    root: int
    folder: str
    name: str
    is_streamed: bool
    is_split: bool
    owner: tuple[int, int] | None
    output: str
    output_fd: int
    output_folder_fd: int
    seconds: float
    stall_seconds: float
    buffer_bytes: int = DEFAULT_BYTES
    min_free_bytes: int | None = None
    expected_bytes: int = 0
    through: Filter | None = None
    into: Filter | None = None
    facts_fd: int = -1
    is_linked: bool = False

    @property
    def inside(self) -> Path:
        """The folder, by way of the open directory: the target may be gone with its ``/proc/PID/root``."""
        return Path(f"/proc/self/fd/{self.root}/{self.folder}")

    @property
    def fifos(self) -> list[Path]:
        """Those that the JVM opens."""
        names = [self.name, f"{self.name}.p0"] if self.is_split else [self.name]
        return [self.inside / name for name in names] if self.is_streamed else []

    @property
    def disk(self) -> Disk:
        """Of the output."""
        return Disk(Path(self.output).parent, self.output_fd, self.min_free_bytes)

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """From the command line."""
        facts = json.loads(text)
        through, into = (
            None if found is None else Filter(**found) for found in (facts.pop("through"), facts.pop("into"))
        )
        return cls(**facts, through=through, into=into)
