"""The catalogue of known leaks: data, one TOML file for each family of leaks.

A file has a line ``family = "..."`` and a table ``[[leak]]`` for each leak::

    [[leak]]
    id = "jdk-delete-on-exit"             # stable, lower case, never reused
    title = "File.deleteOnExit() keeps a path for every file until the process ends"
    unit = ["path", "paths"]              # what one of what piles up is called, and many
    affected = ["every JDK", "Spark 3.4.0"]
    why = "..."                           # for a reader who does not know the library
    cure = ["...", "..."]                 # steps, the most effective first
    healthy = "..."                       # the picture to expect after the cure
    sources = [{ label = "SPARK-42974", url = "https://..." }]
    confidence = "likely"                 # of the signature alone: "certain" or "likely"
    subject = { entries = "java.io.DeleteOnExitHook#files" }
    signature = [{ entries = "java.io.DeleteOnExitHook#files", at_least = 1000 }]

*Subject* is what piles up: ``{ class = "a.B" }``, its subclasses included but with ``exact = true`` (or
a list of names; ``except`` takes some out; ``where`` picks instances by their fields),
``{ entries = "a.B#field" }`` for what is in a collection, or ``{ roots = "JNI global" }``.  Instances of a
class may have to be ``inside`` a collection, or ``outside`` of it.  A collection is that of a static field,
or, with ``of = "a.B"``, that at a path of fields of all instances of a class; ``of`` also says which class
``roots`` must be on.  A finding counts and sizes it.  What nothing holds any more is no leak and does not
count, but with ``garbage = true``: for memory outside of the heap that waits for the collector.

The name of a class may begin with ``*``: libraries are relocated (shaded) into other packages.  A collection
that lies elsewhere in another version is written after a ``|``.

*Signature* is a list of conditions, all of which must hold.  Each has one of these keys:

=============== ===================================================================================
``count``       instances of a class (``"subject"``: of the subject); ``at_least``, ``at_most``
``ratio``       ``["a.B", "c.D"]``: instances of the first for each of the second, of alternatives
                (``"c.D|e.F"``) of the one that has most; ``"threads"`` are the threads of the JVM,
                ``"subject"`` is the subject.  For what a process has in use: sessions, jobs, files
``distinct``    different objects or values at a path of fields of the subject, within one group of
                the paths ``per``; the largest group counts
``entries``     what is in a collection: ``"a.B#CACHE.map"`` begins at a static field, ``"map"``
                with ``of = "a.B"`` at the instances of a class (the fullest one counts)
``loaders``     class loaders of what is in such a collection: of classes, of objects, loaders
                themselves, or of what is ``through`` a field of them; with ``alone = true`` those
                that nothing but the collection holds
``value``       a path of fields of the subject and what it ``is``; in a ``share`` of the subject
``map``         a path to a map, and the ``key`` that a ``share`` of the subject has in it
``sum``         numbers at a path of fields, added up
``held``        ways from the GC roots, as patterns (``"*FileSystem.CACHE (static)*"``), that hold a
                ``share``, or so many ``members``
``roots``       GC root records of that kind on the class that has most of them; ``of`` and
                ``except`` as above
``retained``    the subject's exact retained size as a part of what is reachable
``environment`` a variable of the process, in the heap's own copy or beside the snapshot
``property``    a system property
=============== ===================================================================================

and may have ``at_least``, ``at_most``, ``share`` (0.5 where it is not given), ``any = "name"`` (of
conditions with one name one must hold), ``hint = true`` (need not hold; makes a finding surer),
``histogram = true`` (only looked at in class histograms, in place of what needs objects), and ``say``, the
sentence of the evidence, with ``{figure}`` in it.

A path of fields reads ``"key.ugi.subject"``, with alternatives ``"key.scheme|uri.scheme"``.  What a
value ``is``, in ``where`` too, is a pattern (``"PROXY"``, ``"abfs-timer-*"``), a comparison
(``">= 1048576"``, ``"!= 0"``), or ``"null"``.

More keys may be there: ``log_patterns``, regular expressions of lines that hint at the leak in logs;
``born``, a path of fields to the time at which each instance was made (milliseconds since 1970), so that one
dump says since when;
``is_general = true`` for a leak that gives way to a more specific one with the same objects;
``needs_growth = true`` where a busy server has such figures too, so that one dump is not enough, but three
snapshots in which they rise; ``unverified``, a list of what the entry says and nobody saw at the source,
which is shown with the finding; ``tested_on``, on what the signature was tried; and
``class_counts_suffice = true``.  A class histogram knows classes alone, so conditions that need more are
unknown there; only leaks of which class counts alone say enough are then called possible.

Over several snapshots the subject must grow, whatever the signature says: what does not grow is no leak.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from heapscope.analysis.leaks.known_leaks.schema import Condition, KnownLeak, Source, Subject, read_family

__all__ = ["Condition", "KnownLeak", "Source", "Subject", "load_catalogue"]


def load_catalogue(*files: str | os.PathLike[str]) -> tuple[KnownLeak, ...]:
    """All known leaks, those of the user's own files first.

    Raises
    ------
    KnownLeaksError
        A file breaks the format, or uses an id that is taken.
    """
    from heapscope.errors import KnownLeaksError

    found: dict[str, KnownLeak] = {}
    for path in map(Path, files):
        for leak in read_family(path):
            if leak.id in found or leak.id in {own.id for own in _own()}:
                raise KnownLeaksError(path, f"leak {leak.id!r}", "this id is taken; choose another")
            found[leak.id] = leak
    return (*found.values(), *_own())


@cache
def _own() -> tuple[KnownLeak, ...]:
    """What heapscope comes with: specific leaks before general ones."""
    families = sorted(Path(__file__).parent.glob("*.toml"))
    leaks = [leak for path in families for leak in read_family(path)]
    return tuple(sorted(leaks, key=lambda leak: leak.is_general))
