"""How a server was started."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from heapscope.agent.answer import DEFAULT_BYTES


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server was started.

    Attributes
    ----------
    paths : tuple of str
        Dumps, class histograms, logs, and folders of them: nothing else is read.
    show_values : bool
        Whether values of the heap may be said; what looks like a secret is masked all the same.
    collect_to : str
        Folder for snapshots of running JVMs; empty where none may be taken.
    answer_bytes : int
        No answer is longer.
    index_dir : str
        Where indexes are kept; empty for the user's cache folder.
    use_index : bool
        Whether any are.
    """

    paths: tuple[str, ...]
    show_values: bool = False
    collect_to: str = ""
    answer_bytes: int = DEFAULT_BYTES
    index_dir: str = ""
    use_index: bool = True

    def to_json(self) -> str:
        """For the worker's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        found = json.loads(text)
        return cls(**{**found, "paths": tuple(found["paths"])})
