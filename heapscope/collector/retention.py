"""Old snapshots of a folder make room for new ones: so many of each JVM, or so many bytes of all."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

_NAME = re.compile(r".+\.\d+\.(\d{8}T\d{6}\.\d{6}Z)\.(?:hprof\.zst|histogram\.txt)")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    path: Path
    captured: str
    process: tuple[object, ...]
    byte_count: int  # with its sidecar and verdict

    @property
    def sidecar(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def verdict(self) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".histogram.txt") + ".verdict.json")


def remove_old(folder: Path, *, keep: int | None = None, max_bytes: int | None = None) -> list[Path]:
    """Remove the oldest snapshots that `heapscope.collector.dump.collect` took into a folder.

    A file without a sidecar of ours, or of another name, is never touched; nor is the newest snapshot.

    Parameters
    ----------
    folder : Path
    keep : int, optional
        So many of each JVM stay, the newest.
    max_bytes : int, optional
        All together take no more, if that can be.

    Returns
    -------
    list of Path
        What was removed, without the sidecars.
    """
    found = sorted(_snapshots(folder), key=lambda snapshot: snapshot.captured)
    of_process: dict[tuple[object, ...], list[_Snapshot]] = defaultdict(list)
    for snapshot in found:
        of_process[snapshot.process].append(snapshot)
    doomed = [] if keep is None else [old for each in of_process.values() for old in each[:-keep]]
    if max_bytes is not None:
        left = [snapshot for snapshot in found if snapshot not in doomed]
        total = sum(snapshot.byte_count for snapshot in left)
        for snapshot in left[:-1]:
            if total <= max_bytes:
                break
            total -= snapshot.byte_count
            doomed.append(snapshot)
    removed = []
    for snapshot in doomed:
        with suppress(OSError):
            snapshot.path.unlink()
            removed.append(snapshot.path)
            snapshot.verdict.unlink(missing_ok=True)
            snapshot.sidecar.unlink()
    return removed


def _snapshots(folder: Path) -> list[_Snapshot]:
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is None or path.is_symlink():
            continue
        # Another collect may remove it meanwhile.
        with suppress(OSError, ValueError, KeyError, TypeError):
            sidecar = path.with_name(path.name + ".json").read_bytes()
            of = json.loads(sidecar)["process"]
            size = path.stat().st_size + len(sidecar)
            snapshot = _Snapshot(path, match[1], (of["pid"], of["start_ticks"]), size)
            with suppress(FileNotFoundError):
                snapshot = replace(snapshot, byte_count=size + snapshot.verdict.stat().st_size)
            found.append(snapshot)
    return found
