"""A condition that did not hold, in words: ``x-user = anna; it is bob``. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.rules.field_words import value
from meshdemo.rules.rule_words import SUBJECTS, compared

if TYPE_CHECKING:
    from meshdemo.rules.http_matches import Condition


def wanted(condition: Condition) -> str:
    """Say what a condition asks for."""
    kind, *rest = condition.path
    name = rest[0] if rest else ""
    if kind in (*SUBJECTS, "headers", "withoutHeaders", "queryParams"):
        subject = SUBJECTS.get(kind) or (f"?{name}" if kind == "queryParams" else name)
        return compared(subject, condition.wanted, negated=kind == "withoutHeaders")
    others = {
        "gateways": lambda: f"only for {', '.join(map(str, condition.wanted))}",
        "sourceNamespace": lambda: f"from namespace {condition.wanted}",
        "sourceLabels": lambda: f"from pods with {name}={condition.wanted}",
    }
    return others[kind]() if kind in others else f"{kind} {condition.wanted}"


def found(condition: Condition) -> str:
    """Say what there is in its place."""
    if condition.path[0] == "gateways":
        return "a sidecar is in mesh"
    if condition.found is None:
        return "there is none"
    return f"it is {value(condition.found)}"


def failed(condition: Condition) -> str:
    """Say what is asked for and what there is."""
    return f"{wanted(condition)}; {found(condition)}"
