"""The known leaks as a page of the documentation, made from the catalogue itself (``known_leaks/*.toml``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from heapscope.analysis.leaks.known_leaks import Condition, KnownLeak, load_catalogue
from heapscope.units import format_count

_INTRODUCTION = """\
`heapscope diagnose` looks for these {count} leaks by what they leave in a heap. Class names may begin with
`*`: the same library relocated (shaded) into another package is found too. What is *not verified* is said
in the answer as well. A signature that *needs growth* has figures that a busy server has too: one dump is
not enough for it, three snapshots in which they rise are.

The catalogue is data; [add one of your own](../how-to/add-a-known-leak.md).
"""


def catalogue_page() -> str:
    """The page in Markdown: what, affected, signature, cure, sources, verified on what."""
    leaks = sorted(load_catalogue(), key=lambda leak: (leak.family, leak.is_general))
    lines = ["---", "title: Known leaks", "---", "# Known leaks", "", _INTRODUCTION.format(count=len(leaks))]
    for family, members in groupby(leaks, key=attrgetter("family")):
        lines += [f"## {_plain(family)}", ""]
        for leak in members:
            lines += [*_leak(leak), ""]
    return "\n".join(lines)


def _leak(leak: KnownLeak) -> Iterator[str]:
    yield f"### {_plain(leak.title)} {{ #{leak.id} }}"
    yield f"\n`{leak.id}`. {_plain(leak.why)}\n"
    yield from _part("Affected", [_plain(each) for each in leak.affected])
    yield from _part("Cure", [_plain(each) for each in leak.cure])
    yield from _part("Afterwards", [_plain(leak.healthy)])
    yield from _part("Counted", [_counted(leak)])
    yield from _part("Signature", _signature(leak))
    yield from _part("Sources", [", ".join(f"[{_plain(each.label)}]({each.url})" for each in leak.sources)])
    yield from _part("Tested on", [_plain(leak.tested_on)])
    yield from _part("Not verified", [_plain(each) for each in leak.unverified])


def _part(name: str, texts: Sequence[str]) -> Iterator[str]:
    if len(texts) == 1:
        yield f"{name}\n:   {texts[0]}\n"
    elif texts:
        yield f"{name}\n:   - {texts[0]}"
        yield from (f"    - {text}" for text in texts[1:])
        yield ""


def _counted(leak: KnownLeak) -> str:
    """What piles up."""
    subject = leak.subject
    of = f" of {' or '.join(map(_code, subject.of))}" if subject.of else ""
    if subject.entries:
        return f"{leak.unit[1]}: what is in {_code(subject.entries)}{of}"
    if subject.roots:
        return f"{leak.unit[1]}: GC roots of kind {subject.roots}, of the class that has most{of}"
    found = f"{leak.unit[1]}: objects of {' or '.join(map(_code, subject.classes))}"
    if subject.exact:
        found += " (and not of its subclasses)"
    for path, value in subject.where:
        found += f", {_code(path)} {_code(value)}"
    if subject.inside:
        found += f", in {_code(subject.inside)}{of}"
    if subject.outside:
        found += f", not in {_code(subject.outside)}{of}"
    if subject.without:
        found += f", but not {', '.join(map(_code, subject.without))}"
    return found


def _signature(leak: KnownLeak) -> list[str]:
    found = [_condition(each, leak) for each in leak.signature]
    if leak.needs_growth:
        found.append("needs growth: these figures alone are no leak")
    sure = f"all of it makes it {leak.confidence}"
    found.append(f"{sure}; a class histogram makes it possible" if leak.class_counts_suffice else sure)
    return found


def _condition(condition: Condition, leak: KnownLeak) -> str:
    text = _fact(condition, leak)
    if condition.any_of:
        text += f" (one of those that are called *{condition.any_of}*)"
    if condition.for_histograms:
        text += " (of class histograms)"
    return f"{text} (makes it surer)" if condition.is_hint else text


def _fact(condition: Condition, leak: KnownLeak) -> str:
    """What a condition asks for, in words."""
    names = [leak.unit[1] if each == "subject" else _code(each) for each in condition.operand]
    many, each = " or ".join(names), f"{condition.share:.0%} of the {leak.unit[1]}"
    of = f" of {' or '.join(map(_code, condition.texts('of')))}" if condition.texts("of") else ""
    where = "".join(f", {_code(path)} {_code(value)}" for path, value in condition.where)
    number = _number(condition)
    alone = " that nothing else holds" if condition.options.get("alone") else ""
    match condition.kind:
        case "count":
            return (
                f"{number} {many}{where}"
                if "subject" in condition.operand
                else f"{number} objects of {many}{where}"
            )
        case "ratio":
            return f"{number} {names[0]} for each of {names[1]}"
        case "distinct":
            same = " and ".join(map(_code, condition.texts("per")))
            return f"{number} different values of {many}" + (f" with the same {same}" if same else "")
        case "entries":
            return f"{number} entries in {many}{of}"
        case "loaders":
            return f"classes of {number} class loaders in {many}{of}{alone}"
        case "value":
            return f"in {each} {many} is {_code(str(condition.options['is']))}"
        case "map":
            return f"in {each} the map {many} has the key {_code(str(condition.options['key']))}"
        case "sum":
            return f"{many}{of} adds up to {number}"
        case "held":
            members = condition.options.get("members")
            return f"a way from the GC roots like {many} holds {f'at least {members}' if members else each}"
        case "roots":
            return f"{number} GC roots of kind {condition.operand[0]} on one class{of}"
        case "retained":
            return f"they retain {number} of the heap"
        case kind:
            return f"the {kind} has {many}"


def _number(condition: Condition) -> str:
    low, high = condition.at_least, condition.at_most
    if high is not None:
        return (
            f"at most {format_count(high)}" if low is None else f"{format_count(low)} to {format_count(high)}"
        )
    return f"at least {format_count(low or 1)}"


def _code(text: str) -> str:
    return f"`{text}`"


def _plain(text: str) -> str:
    """A text whose marks mean nothing in Markdown."""
    for mark in ("\\", "*", "_", "<", "[", "]", "`"):
        text = text.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return text
