"""What Istio's own analyzer finds odd: about the user's objects, and about a namespace.

It is worth a word and nothing more: who has no istioctl, or may not see all that it wants to look
at, goes without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading
from meshdemo.rules.analysis.analyzer import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.engines.cluster.istio.istioctl import Istioctl
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

ABOUT_HOST = "Referenced host"
"""How those messages of IST0101 begin that ``rule_warnings`` has in its own words."""


def of_objects(
    objects: Sequence[Object],
    said: Sequence[Problem],
    namespace: str,
    find: Callable[[], Istioctl],
) -> tuple[Problem, ...]:
    """Analyze objects together with what is there; each finding has its object's place.

    What was ``said`` already, in our own words and with the line, is not said again.
    """
    try:
        findings = find().analyze(namespace, reading.dump(objects))
    except EnvironmentFailed:
        return ()
    given = {item.title: item for item in objects}
    known = {(problem.subject, problem.code) for problem in said}
    return tuple(
        replace(given[found.subject].problem(found.message), code=found.code)
        for found in findings
        if found.subject in given and not _is_said(found, known)
    )


def _is_said(found: Problem, known: set[tuple[str, str]]) -> bool:
    ours = found.code != NOT_FOUND or found.message.startswith(ABOUT_HOST)
    return ours and (found.subject, found.code) in known


def of_namespace(namespace: str, ctl: Istioctl) -> str:
    """Say what is odd in a namespace, a line for each finding."""
    try:
        findings = ctl.analyze(namespace)
    except EnvironmentFailed as error:
        return f"not known: {error.message.splitlines()[-1]}"
    return "\n".join(map(str, (replace(found, file="", line=0) for found in findings))) or "nothing"
