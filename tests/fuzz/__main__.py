"""``python -m tests.fuzz [TARGET ...] --seconds N``."""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import FrameType

from tests.fuzz.engine import inputs, mutate

FOUND = Path(__file__).parents[2] / "build" / "fuzz"
HANG_SECONDS = 30
# Beside what was needed before; small inputs have no reason to take so much.
MEMORY_BYTES = 256 << 20


class HangError(Exception):
    """One input took too long."""


def hang(number: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {HANG_SECONDS} s")


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(name: str, seconds: float, seed: int, count: int | None) -> tuple[int, int]:
    """Fuzz one target; how many inputs, how many of them failed."""
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    draw = inputs(target.seeds(), seed)
    done = failed = 0
    kinds: set[str] = set()
    signal.signal(signal.SIGALRM, hang)
    target.run(target.seeds()[0])  # compiles, imports
    before = peak_bytes()
    # A crash of the process leaves its input here.
    FOUND.mkdir(parents=True, exist_ok=True)
    last = FOUND / f"{name}.last"
    end = time.monotonic() + seconds
    while time.monotonic() < end if count is None else done < count:
        data = draw()
        last.write_bytes(data)
        signal.alarm(HANG_SECONDS)
        try:
            target.run(data)
            if peak_bytes() > before + MEMORY_BYTES + 4 * len(data):
                before = peak_bytes()
                raise MemoryError(f"{before >> 20:,} MiB for an input of {len(data):,} bytes")
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
            if kind not in kinds:
                kinds.add(kind)
                path = FOUND / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
                path.write_bytes(data)
                print(f"{name}: {kind}: {error}\n    kept in {path}", flush=True)
                traceback.print_exc()
        finally:
            signal.alarm(0)
        done += 1
    last.unlink()
    return done, failed


def run_atheris(name: str, seconds: float, seed: int) -> None:
    """Coverage-guided; ends the process."""
    import random

    import atheris

    with atheris.instrument_imports(include=["heapscope"]):
        # What targets import when they run would be left without instruments.
        for module in ("attach", "perfdata", "stream"):
            import_module(f"heapscope.collector.{module}")
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = FOUND / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = target.seeds()
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    target.run(seeds[0])

    def mutator(data: bytes, most: int, number: int) -> bytes:
        if number % 3 == 0:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, seeds, random.Random(number))[:most]

    options = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={int(seconds)}",
        f"-seed={seed or 1}",
        f"-timeout={HANG_SECONDS}",
        "-rss_limit_mb=2048",
        "-max_len=16384",
        f"-artifact_prefix={FOUND}/{name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup(options, target.run, custom_mutator=mutator)
    atheris.Fuzz()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them by default; see --list")
    parser.add_argument("--seconds", type=float, default=60, help="in all, divided among targets [60]")
    parser.add_argument("--count", type=int, help="inputs of each target, whatever time it takes")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other inputs [0]")
    parser.add_argument("--engine", choices=["plain", "atheris"], default="plain", help="[plain]")
    parser.add_argument("--replay", type=Path, help="run one file that failed")
    parser.add_argument("--list", action="store_true", help="list the targets")
    return parser.parse_args()


def main() -> int:
    faulthandler.enable()
    options = parsed()
    os.environ.setdefault("HEAPSCOPE_INDEX_DIR", str(FOUND / "indexes"))
    if options.engine == "atheris":
        (name,) = options.targets
        run_atheris(name, options.seconds, options.seed)
        return 0
    from tests.fuzz.targets import FOLDER, TARGETS

    names = options.targets or list(TARGETS)
    failures = 0
    try:
        if options.list:
            for target in TARGETS.values():
                print(f"{target.name:10} {target.about}")
        elif options.replay is not None:
            TARGETS[names[0]].run(options.replay.read_bytes())
        else:
            for name in names:
                begin = time.monotonic()
                done, failed = run(name, options.seconds / len(names), options.seed, options.count)
                failures += failed
                print(
                    f"{name}: {done:,} inputs in {time.monotonic() - begin:.0f} s, {failed:,} failed",
                    flush=True,
                )
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
