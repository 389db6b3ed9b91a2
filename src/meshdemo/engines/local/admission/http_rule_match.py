"""Istio's admission of what a rule's ``match`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names, regex
from meshdemo.engines.local.admission.references import gateway_problems, label_problems
from meshdemo.rules.http_matches import ANY_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

PSEUDO_HEADERS = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
CLAIM = "@request.auth.claims"


def match_problems(match: Place, *, in_mesh: bool) -> Iterator[Problem]:
    """Judge one condition for requests."""
    yield from regex_problems(match["uri"])
    for name in ("scheme", "method", "authority"):
        yield from string_match_problems(match[name])
    for condition in match["queryParams"].entries.values():
        yield from string_match_problems(condition)
    for part in ("headers", "withoutHeaders"):
        for name, condition in match[part].entries.items():
            yield from _header_name_problems(condition, name, in_mesh=in_mesh)
            if part == "headers" or condition["regex"].text != ANY_VALUE:
                yield from string_match_problems(condition)
    yield from label_problems(match["sourceLabels"])
    yield from gateway_problems(match["gateways"])
    namespace = match["sourceNamespace"]
    if namespace.text and not names.is_istio_label(namespace.text):
        yield namespace.problem(f'"{namespace.text}" is not a namespace')


def string_match_problems(condition: Place) -> Iterator[Problem]:
    """Judge how a text is matched. Envoy takes an empty prefix for paths only."""
    prefix = condition["prefix"]
    if prefix.is_text and not prefix.text:
        yield prefix.problem("the prefix is empty", "for any value write {} in place of prefix")
    yield from regex_problems(condition)


def regex_problems(condition: Place) -> Iterator[Problem]:
    """Judge the regular expression of a condition that has one."""
    expression = condition["regex"]
    if expression.is_text and (wrong := regex.problem(expression.text)):
        yield expression.problem(wrong)


def _header_name_problems(condition: Place, name: str, *, in_mesh: bool) -> Iterator[Problem]:
    if _is_claim(name):
        if in_mesh:
            yield condition.problem(f'"{name}" is a JWT claim, which only gateways match')
    elif name not in PSEUDO_HEADERS and (wrong := names.header(name)):
        yield condition.problem(wrong)


def _is_claim(name: str) -> bool:
    """Tell whether it is ``@request.auth.claims.group`` or ``@request.auth.claims[group]``."""
    if not name.lower().startswith(CLAIM):
        return False
    claim = name[len(CLAIM) :]
    is_bracketed = claim.startswith("[") and claim.endswith("]") and claim != "[]"
    return is_bracketed or (claim.startswith(".") and claim != ".")
