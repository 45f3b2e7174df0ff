"""Processors for which a wheel brings machine code with it."""

from __future__ import annotations

import platform
import sys
from typing import NamedTuple

# Level 3 of the x86-64 psABI: Intel's processors of 2013, AMD's of 2015, and later ones.
_X86_64_V3 = (
    "avx avx2 bmi bmi2 cx16 f16c fma fxsr lzcnt mmx movbe popcnt sahf sse sse2 sse3 sse4.1 sse4.2 ssse3 xsave"
)


class Target(NamedTuple):
    """A kind of processor, with the system.

    Attributes
    ----------
    name : str
        Part of names of files.
    processor : str
        As LLVM calls it.
    features : tuple of str
        What code for it may use, in LLVM's words.
    """

    name: str
    processor: str
    features: tuple[str, ...]

    def is_met(self) -> bool:
        """Whether this processor can run what is compiled for the target."""
        from llvmlite import binding

        features = binding.get_host_cpu_features()
        return all(features.get(each, False) for each in self.features)


def portable_target() -> Target | None:
    """What a wheel that is built or installed here has machine code for; None where there is no such."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return Target("x86-64-v3-linux", "x86-64-v3", tuple(_X86_64_V3.split()))
    if sys.platform == "linux" and platform.machine() == "aarch64":
        return Target("aarch64-linux", "generic", ("neon",))
    return None
