"""Why a verdict is not met: the most specific cause that facts prove, with evidence and a fix.

No cause is better than a wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis import (
    destinations,
    other_rules,
    other_subsets,
    sidecar_words,
    unnamed_versions,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.diagnosis.cause import Cause
    from meshdemo.diagnosis.facts import Facts

BESIDE: tuple[Callable[[Facts], Iterator[Cause]], ...] = (unnamed_versions.unnamed_versions,)
"""Looked for where versions are read from answers alone, whatever else is found."""
CHANGED: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
    other_rules.client_without_sidecar,
    other_rules.fault_in_force,
    other_rules.port_is_not_http,
    other_rules.unknown_host,
    other_rules.out_of_reach,
    other_rules.earlier_rule_takes_it,
    other_rules.other_rule_wins,
    other_subsets.other_subsets_win,
    other_subsets.subset_is_mislabelled,
)
"""Looked for where something is expected, and the rules promise something else."""
SEEN: tuple[Callable[[Facts], Iterator[Cause]], ...] = (
    whole.called_host_is_unknown,
    destinations.missing_destination,
    destinations.without_pods,
    destinations.pods_not_ready,
    destinations.app_without_sidecar,
    destinations.no_rule_matches,
    sidecar_words.denied,
    sidecar_words.pool_is_full,
    sidecar_words.pods_ejected,
    sidecar_words.timed_out,
    sidecar_words.retries_used_up,
    whole.given_up,
    whole.rules_say_otherwise,
    whole.not_live,
    whole.answers_from_outside,
    whole.answers_from_another_service,
    whole.sample_cut_short,
    whole.not_accepted,
    whole.analyzer_finds,
)
"""Looked for always, the most specific ones first."""


def beside(facts: Facts) -> tuple[Cause, ...]:
    """Name what answers themselves prove."""
    return tuple(cause for look in BESIDE for cause in look(facts))


def diagnose(facts: Facts) -> tuple[Cause, ...]:
    """Name the most specific cause; several where there are several of that kind."""
    astray = facts.expectation.shares and not facts.is_promised
    order = (*CHANGED, *SEEN) if astray else SEEN
    return next((found for look in order if (found := tuple(look(facts)))), ())
