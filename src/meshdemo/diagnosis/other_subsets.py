"""Causes in the subsets of DestinationRules, proved by the opposite as those of other rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.diagnosis.opposites import exchanged, proof, with_spec, without
from meshdemo.language import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts


def other_subsets_win(facts: Facts) -> Iterator[Cause]:
    """Another DestinationRule is merged into the one that is meant, and has its subsets first."""
    for destination in facts.trace.destinations:
        rule = destination.rule
        known = (item for item in facts.objects if item.kind == "DestinationRule")
        there = [item for item in known if rule and rule.has(item)]
        for item in there if len(there) > 1 else ():
            if facts.would_keep(without(facts, item)):
                message = said(
                    "{rule} is for {host}, too, and decides about a subset",
                    rule=item.title,
                    host=destination.target.host,
                )
                fix = said(
                    "write the subsets of both into one, or: "
                    "meshdemo delete destinationrule {name} -n {namespace}",
                    name=item.name,
                    namespace=item.namespace,
                )
                place = item.problem(message, "spec", "subsets")
                yield Cause("other-rule-wins", place, proof(facts), fix)
                return


def subset_is_mislabelled(facts: Facts) -> Iterator[Cause]:
    """A subset has the name of the version that is expected, and the pods of another one."""
    led_to = {each.target.subset for each in facts.trace.destinations if facts.behind(each)}
    for item in facts.objects:
        if item.kind != "DestinationRule":
            continue
        subsets = list(item.spec.get("subsets") or ())
        for number, subset in enumerate(subsets):
            name, labels = subset.get("name"), subset.get("labels") or {}
            version = labels.get("version", name)
            mended = {**subset, "labels": {**labels, "version": name}}
            others = [*subsets[:number], mended, *subsets[number + 1 :]]
            if (
                version == name
                or name not in led_to
                or not facts.would_keep(exchanged(facts, item, with_spec(item, subsets=others)))
            ):
                continue
            message = said(
                'the subset "{subset}" is the pods with version: {version}',
                subset=name,
                version=version,
            )
            place = item.problem(message, "spec", "subsets", number, "labels")
            fix = said("correct the labels of the subset, as version: {version}", version=name)
            yield Cause("subset-mislabelled", place, proof(facts), fix)
