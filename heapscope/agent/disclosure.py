"""What may be said of a heap: names, counts and sizes; values only where the server was told so.

Names of classes and fields, of files, of environment variables, and stack frames are said.  What a program
put into its heap is a value: texts, keys, names of threads and of class loaders, contents of variables and
properties, addresses of clusters, users; in logs the messages.  In place of a value stands ``(withheld)``.

A name too was chosen by some program, and may be a sentence that addresses its reader.  One that is not made
like a name in Java source is put between « and », and so is every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from heapscope.reporter.text import printable
from heapscope.secrets import scrub

WITHHELD = "(withheld)"
_LONGEST = 300
# Java identifiers with the marks that join them: packages, nested and hidden classes, arrays, frames, paths.
_NAME = re.compile(r"[\w$.<>\[\]/:+-]+(?:\([\w$.\- :/]*\))?", re.ASCII)
# What owners on a stack are called, before the names of threads, and without them.
_LOCALS = {
    "a local variable of thread ": "a local variable of a thread",
    "local variables of threads ": "local variables of threads",
}
_LOADER = re.compile(r"^(?P<name>\S+(?: 0x[0-9a-f]+)?) '.*'$", re.DOTALL)
# Evidence of signatures that names what the objects have in common: a user, a cluster.
_OF_ONE = re.compile(r"^(?P<said>[\d,]+ different objects in the field \w+) for .*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What may be said.

    Attributes
    ----------
    values : bool
        Whether values are said, those that look like secrets masked.
    """

    values: bool = False

    def name(self, text: str) -> str:
        """A name of a class, a field, a file or a stack frame."""
        cut = _cut(printable(text))
        return cut if _NAME.fullmatch(cut) else f"«{_plain(cut)}»"

    def value(self, text: str) -> str:
        """What the program put into its heap; masked where it looks like a secret."""
        return f"«{_plain(_cut(printable(scrub(text))))}»" if self.values else WITHHELD

    def owner(self, text: str) -> str:
        """The field that owns something, or words for what else does."""
        for said, withheld in _LOCALS.items():
            if text.startswith(said):
                return f"{withheld} {self.value(text.removeprefix(said))}" if self.values else withheld
        return self.steps(text)

    def steps(self, text: str) -> str:
        """A way through the heap, such as ``3 x A.b (static) -> HashMap.table``."""
        return " -> ".join(
            each if _is_step(each) else self.name(each) for each in printable(text).split(" -> ")
        )

    def loader(self, text: str) -> str:
        """A class loader: its class, its address, and its name only where values are said."""
        found = None if self.values else _LOADER.match(text)
        return _quoted_unless_step(text if found is None else found["name"])

    def sentence(self, text: str, withheld: Iterable[str] = ()) -> str:
        """Words of heapscope's own, with names of the heap in them.

        Parameters
        ----------
        text : str
        withheld : iterable of str
            Owners that it may name: of a local variable the thread's name is left out.
        """
        said = printable(text)
        if not self.values:
            for owner in withheld:
                for stack, words in _LOCALS.items():
                    if owner.startswith(stack):
                        said = said.replace(printable(owner), words)
            found = _OF_ONE.match(said)
            said = said if found is None else found["said"]
        return _cut(scrub(said), 600)


def _is_step(text: str) -> bool:
    """Whether a step is made of names and of heapscope's own words for counts and kinds."""
    return re.fullmatch(r"[ \w$.<>\[\]/:+,()-]*", text, re.ASCII) is not None and len(text) <= _LONGEST


def _quoted_unless_step(text: str) -> str:
    said = _cut(printable(text))
    return said if _is_step(said) else f"«{_plain(said)}»"


def _plain(text: str) -> str:
    return text.replace("«", "<").replace("»", ">")


def _cut(text: str, longest: int = _LONGEST) -> str:
    """At most so many characters; what is left out is counted."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text) - longest:,} characters more)"
