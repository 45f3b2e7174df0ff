"""How a pattern picks classes by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate

NO_CLASS_IS_NEAR = (
    "a glob finds a part of a name ('*Session*'), and 'heapscope histogram DUMP --top 0' lists all classes"
)


def without_plus(pattern: str, subclasses: bool) -> tuple[str, bool]:
    """A pattern without the ``+`` at its end that asks for subclasses, and whether they are picked."""
    return pattern.removesuffix("+"), subclasses or pattern.endswith("+")


def matching_classes(
    pattern: str, names: Iterable[str], superclasses: Mapping[str, str], *, subclasses: bool = True
) -> tuple[str, ...]:
    """Names that a pattern picks, sorted.

    Parameters
    ----------
    pattern : str
        A class name as in Java source; a simple name without a dot, for that class in any
        package; or a glob with ``*`` and ``?`` over whole names.
    names : iterable of str
        The class names to pick from.
    superclasses : mapping of str to str
        Class name to the name of its superclass, as far as known.
    subclasses : bool
        Whether subclasses of what the pattern names are picked too.
    """
    known = set(names)
    everyone = known | set(superclasses) | set(superclasses.values())
    if "*" in pattern or "?" in pattern:
        # A dollar and brackets are part of names, not of the glob.
        glob = re.compile(translate(pattern.replace("[", "[[]")))
        found = {name for name in everyone if glob.match(name)}
    elif pattern in everyone or "." in pattern:
        found = {pattern}
    else:
        found = {name for name in everyone if name.rsplit(".", 1)[-1] == pattern}
    if subclasses:
        children: dict[str, list[str]] = {}
        for name, parent in superclasses.items():
            children.setdefault(parent, []).append(name)
        pending = list(found)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in found:
                    found.add(child)
                    pending.append(child)
    return tuple(sorted(found & known))
