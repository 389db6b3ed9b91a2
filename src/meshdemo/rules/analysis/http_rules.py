"""Warnings about the http rules of one VirtualService: what no request will ever reach.

Source: Istio's pkg/config/validation (analyzeUnreachableHTTPRules), which takes some matches for
covered that are not; here all that are found are true.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.rules.mirrors import OLD_SHARES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

UNREACHABLE = "IST0130"
INEFFECTIVE = "IST0131"


def http_rule_warnings(rules: Place) -> Iterator[Problem]:
    """Look at the rules in their order, of which the first that matches takes the request."""
    catch_all: str = ""
    seen: list[_Seen] = []
    for rule in rules.items:
        yield from _fault_warnings(rule["fault"])
        yield from _mirror_warnings(rule)
        if catch_all:
            message = f"no request reaches this rule: rule {catch_all} before it takes every one"
            yield rule.problem(message, "put the rule without match last", UNREACHABLE)
            continue
        if "delegate" in rule:
            continue  # of what it matches, its delegate may leave some to the rules after it
        matches = [_Seen.of(match, _title(rule)) for match in rule["match"].items]
        if not matches:
            catch_all = _title(rule)
        yield from _match_warnings(rule, matches, seen)


class _Seen(Struct, frozen=True):
    """One match, as it is compared with others."""

    place: Place
    rule: str
    """How its rule is called."""
    conditions: dict[str, Any]
    form: str
    """The conditions, written so that equal ones read the same."""
    prefix: str

    @classmethod
    def of(cls, match: Place, rule: str) -> _Seen:
        conditions = {name: place.value for name, place in match.entries.items() if name != "name"}
        form = json.dumps(conditions, sort_keys=True, default=str)
        return cls(match, rule, conditions, form, match["uri"]["prefix"].text)

    def covers(self, later: _Seen) -> bool:
        """Tell whether it has a shorter prefix, and no condition of its own besides."""
        short, long = self.prefix, later.prefix
        if not short or short == long or not long.startswith(short):
            return False
        wanted, given = self.conditions, later.conditions
        same_case = bool(wanted.get("ignoreUriCase")) == bool(given.get("ignoreUriCase"))
        return same_case and all(
            given.get(name) == wanted[name] for name in wanted.keys() - {"uri"}
        )


def _match_warnings(rule: Place, matches: list[_Seen], seen: list[_Seen]) -> Iterator[Problem]:
    """Compare each match with those before it, and add it to them."""
    same = 0
    for match in matches:
        if earlier := next((other for other in seen if other.form == match.form), None):
            same += 1
            message = f"rule {earlier.rule} before it has the same match"
            yield match.place.problem(message, code=INEFFECTIVE)
        elif earlier := next((other for other in seen if other.covers(match)), None):
            message = f"no request gets to this match: that of rule {earlier.rule} covers it"
            yield match.place.problem(message, "put the longer prefix first", INEFFECTIVE)
        seen.append(match)
    if matches and same == len(matches):
        message = "no request reaches this rule: rules before it have all of its matches"
        yield rule.problem(message, code=UNREACHABLE)


def _fault_warnings(fault: Place) -> Iterator[Problem]:
    """Warn of faults that Istio accepts and that do nothing."""
    abort, delay = fault["abort"], fault["delay"]
    if abort.there and not ("httpStatus" in abort or "grpcStatus" in abort):
        yield abort.problem("the abort says no httpStatus, and so does nothing")
    elif abort.there and "percentage" not in abort:
        yield abort.problem("the abort says no percentage, and so does nothing")
    if delay.there and not ("percentage" in delay or "percent" in delay):
        yield delay.problem("the delay says no percentage, and so does nothing")


def _mirror_warnings(rule: Place) -> Iterator[Problem]:
    """Warn of shares of copies that Istio accepts and does not look at."""
    shares = [name for name in ("mirrorPercentage", *OLD_SHARES) if name in rule]
    for number, name in enumerate(shares):
        if "mirror" not in rule:
            if "delegate" in rule or not rule.item.spec.get("hosts"):
                return  # with what it is merged with it may have one
            yield rule[name].problem("it is for mirror, which is not there, and so does nothing")
        elif number:
            yield rule[name].problem(f"{shares[0]} decides, so this does nothing")
        elif name in OLD_SHARES:
            yield rule[name].problem(f"{name} is deprecated", "write mirrorPercentage: {value: 10}")


def _title(rule: Place) -> str:
    return f'"{rule["name"].text}"' if rule["name"].text else f"#{rule.path[-1]}"
