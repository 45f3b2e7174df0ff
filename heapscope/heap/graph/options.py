"""What is followed in a heap, and what is a root."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class ReferentKind(IntEnum):
    """How a ``java.lang.ref.Reference`` holds its referent."""

    SOFT = 1
    WEAK = 2
    PHANTOM = 3
    FINAL = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What is followed, and what is a root.

    Attributes
    ----------
    semantics : str
        ``"jvm"``: sizes of the JVM, referents by strength.  ``"mat"``: Eclipse MAT's sizes, all
        referents followed.
    roots : str
        ``"mat"``: what lies on a thread's stack hangs on the thread.  ``"plain"``: it is a root.
    soft : str
        Whether soft references hold their referents: ``"strong"`` or ``"weak"``.
    """

    semantics: Literal["jvm", "mat"] = "jvm"
    roots: Literal["mat", "plain"] = "mat"
    soft: Literal["strong", "weak"] = "strong"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("semantics", ("jvm", "mat")),
            ("roots", ("mat", "plain")),
            ("soft", ("strong", "weak")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}; it is one of {', '.join(allowed)}")

    def follows(self, kind: ReferentKind) -> bool:
        """Whether referents of a kind are held."""
        return self.semantics == "mat" or (kind == ReferentKind.SOFT and self.soft == "strong")
