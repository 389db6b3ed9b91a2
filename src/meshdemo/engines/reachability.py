"""Warnings about the http rules of one VirtualService: what no request will ever reach.

Source: Istio's pkg/config/validation (analyzeUnreachableHTTPRules), which takes some matches for
covered that are not; here all that are found are true.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.node import Node
    from meshdemo.errors import Problem

UNREACHABLE = "IST0130"
INEFFECTIVE = "IST0131"


def rule_warnings(rules: Node) -> Iterator[Problem]:
    """Look at the rules in their order, in which the first that matches wins."""
    catch_all: str = ""
    seen: list[tuple[Node, str]] = []
    for rule in rules.items:
        yield from _fault_warnings(rule["fault"])
        if catch_all:
            message = f"no request reaches this rule: rule {catch_all} before it takes every one"
            yield rule.problem(message, "put the rule without match last", UNREACHABLE)
            continue
        matches = rule["match"].items
        if not matches:
            catch_all = _title(rule)
        yield from _match_warnings(rule, matches, seen)


def _match_warnings(
    rule: Node, matches: list[Node], seen: list[tuple[Node, str]]
) -> Iterator[Problem]:
    """Compare each match with those before it, and add it to them."""
    same = 0
    for match in matches:
        if earlier := [title for other, title in seen if _form(other) == _form(match)]:
            same += 1
            message = f"rule {earlier[0]} before it has the same match"
            yield match.problem(message, code=INEFFECTIVE)
        elif earlier := [title for other, title in seen if _covers(other, match)]:
            message = f"no request gets to this match: that of rule {earlier[0]} covers it"
            yield match.problem(message, "put the longer prefix first", INEFFECTIVE)
        seen.append((match, _title(rule)))
    if matches and same == len(matches):
        message = "no request reaches this rule: rules before it have all of its matches"
        yield rule.problem(message, code=UNREACHABLE)


def _fault_warnings(fault: Node) -> Iterator[Problem]:
    """Warn of faults that Istio accepts and that do nothing."""
    abort, delay = fault["abort"], fault["delay"]
    if abort.there and not ("httpStatus" in abort or "grpcStatus" in abort):
        yield abort.problem("the abort says no httpStatus, and so does nothing")
    elif abort.there and "percentage" not in abort:
        yield abort.problem("the abort says no percentage, and so does nothing")
    if delay.there and not ("percentage" in delay or "percent" in delay):
        yield delay.problem("the delay says no percentage, and so does nothing")


def _title(rule: Node) -> str:
    return f'"{rule["name"].text}"' if rule["name"].text else f"#{rule.path[-1]}"


def _form(match: Node) -> str:
    """Write a match so that equal ones read the same."""
    return json.dumps(_conditions(match), sort_keys=True, default=str)


def _conditions(match: Node) -> dict[str, Any]:
    return {name: node.value for name, node in match.entries.items() if name != "name"}


def _covers(one: Node, other: Node) -> bool:
    """Tell whether an earlier match has a shorter prefix, and no condition of its own besides."""
    short, long = one["uri"]["prefix"].text, other["uri"]["prefix"].text
    if not short or short == long or not long.startswith(short):
        return False
    wanted, given = _conditions(one), _conditions(other)
    same_case = bool(wanted.get("ignoreUriCase")) == bool(given.get("ignoreUriCase"))
    return same_case and all(given.get(name) == wanted[name] for name in wanted.keys() - {"uri"})
