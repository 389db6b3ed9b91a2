"""Where two behaviours differ: ``10 % of /api moves to v2``, ``/old: 301 becomes 404``."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.verdict.expectation import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.suite.changes.behaviour import Behaviour, Outcome
    from meshdemo.suite.changes.probing import Probe

LONGEST = 60
"""Characters of a body or a header that are told."""
UNNAMED = "pods without a version"


class Difference(Struct, frozen=True):
    """One thing that differs for a request; ``{}`` in the words stands for the request."""

    kind: str
    words: str
    by_example: bool = False
    """Whether the words are about this one request, and alike for others."""


class Change(Struct, frozen=True):
    """The same difference for one request or more."""

    difference: Difference
    probes: tuple[Probe, ...]
    """The one that is told comes first."""
    old: Problem | None
    """Where the rule stands that takes it; None where none does."""
    new: Problem | None
    label: str

    @property
    def words(self) -> str:
        """The whole sentence."""
        return self.difference.words.replace("{}", self.label, 1)


def differences(old: Behaviour, new: Behaviour) -> Iterator[Difference]:
    """Say how two behaviours differ; nothing where they do not."""
    before, after = dict(old.shares), dict(new.shares)
    named = _Names({*before, *after})
    if before != after:
        yield Difference("answer", _moved(before, after, named))
    facts_before, facts_after = dict(old.facts), dict(new.facts)
    told: set[tuple[str, str]] = set()
    for outcome in sorted(facts_before.keys() & facts_after.keys()):
        for kind, words in _facts(dict(facts_before[outcome]), dict(facts_after[outcome])):
            if (kind, words) not in told:
                told.add((kind, words))
                yield Difference(kind, words, by_example=True)
    if before == after or before.keys() & after.keys():
        yield from _declared(old.declared, new.declared)


class _Names:
    """Names what requests end in: by the version alone where that tells them apart."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        pods = {each for each in outcomes if not each.answer}
        self.is_one_service = len({each.service for each in pods}) <= 1

    def __call__(self, outcome: Outcome) -> str:
        if outcome.answer:
            return outcome.answer
        if self.is_one_service:
            return outcome.version or outcome.service or UNNAMED
        return " ".join(filter(None, (outcome.service, outcome.version))) or UNNAMED


def _moved(before: dict[Outcome, Fraction], after: dict[Outcome, Fraction], named: _Names) -> str:
    if len(before) == len(after) == 1:
        (old,), (new,) = before, after
        if old.answer or new.answer:
            return f"{{}}: {named(old)} becomes {named(new)}"
        return f"{{}} moves from {named(old)} to {named(new)}"
    gained = [(o, after[o] - before.get(o, Fraction(0))) for o in sorted(after)]
    parts = [
        f"{_percent(share)} of {{}} {'becomes' if outcome.answer else 'moves to'} {named(outcome)}"
        for outcome, share in gained
        if share > 0
    ]
    first, *others = parts
    return ", ".join([first, *(each.replace("of {} ", "") for each in others)])


def _percent(share: Fraction) -> str:
    return f"{percent(share)} %"


def _facts(before: dict[str, str], after: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None:
            yield name, f"{{}}: new {name}: {_shown(new)}"
        elif new is None:
            yield name, f"{{}}: no {name} any more, which was {_shown(old)}"
        else:
            yield name, f"{{}}: {name} {_shown(old)} becomes {_shown(new)}"


def _declared(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Difference]:
    gone = [words for words in before if words not in after]
    come = [words for words in after if words not in before]
    if gone and come:
        yield Difference("rule", f"{{}}: {', '.join(gone)} becomes {', '.join(come)}")
    elif come:
        yield Difference("rule", f"{{}}: now {', '.join(come)}")
    elif gone:
        yield Difference("rule", f"{{}}: no more {', '.join(gone)}")


def _shown(text: str | None) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 3]}..."


def changes(
    found: Iterable[tuple[Probe, Behaviour, Behaviour]], *, with_hosts: bool
) -> tuple[Change, ...]:
    """Put the differences of requests together that are alike, and have the same rules."""
    groups: dict[tuple[object, ...], list[tuple[Probe, Difference, Behaviour, Behaviour]]] = {}
    for probe, old, new in found:
        for each in differences(old, new):
            words = "" if each.by_example else each.words
            key = each.kind, words, _spot(old.place), _spot(new.place), probe.host
            groups.setdefault(key, []).append((probe, each, old, new))
    told = []
    for group in groups.values():
        group.sort(key=lambda each: (len(each[0].label()), each[0].label()))
        probe, difference, old, new = group[0]
        label = probe.label(with_host=with_hosts)
        probes = tuple(each[0] for each in group)
        told.append(Change(difference, probes, old.place, new.place, label))
    return tuple(sorted(told, key=_order))


def _spot(place: Problem | None) -> tuple[str, str, str]:
    return (place.subject, place.field, place.file) if place else ("", "", "")


def _order(change: Change) -> tuple[str, int, str]:
    place = change.new or change.old
    return (place.file, place.line, change.label) if place else ("", 0, change.label)
