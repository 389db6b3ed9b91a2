"""How load balancing shares equal requests among pods: each gets as much, unless it is sticky."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from meshdemo.rules.http_matches import undecided

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Shares: TypeAlias = "dict[str, Fraction]"
"""The share of each version."""

VERSION_LABEL = "version"


def stickiness(top: Mapping[str, Any], subset: Mapping[str, Any], number: int) -> str:
    """Say why equal requests do not spread over the pods; empty if they do.

    ``top`` is the traffic policy that holds unless the subset's says otherwise.
    """
    own = subset.get("trafficPolicy") or {}
    ports = own.get("portLevelSettings") or top.get("portLevelSettings") or ()
    # A port's settings replace the others as a whole.
    port = next((p for p in ports if (p.get("port") or {}).get("number") == number), None)
    balancer = (port or {}).get("loadBalancer") or {}
    if port is None:
        balancer = own.get("loadBalancer") or top.get("loadBalancer") or {}
    if balancer.get("consistentHash"):
        return "its consistentHash sends equal requests to one pod"
    return "PASSTHROUGH keeps a connection's pod" if balancer.get("simple") == "PASSTHROUGH" else ""


def shares(pods: Sequence[Mapping[str, str]], where: str) -> Shares:
    """Give each version as much as it has pods; ``where`` is what they stand behind."""
    if not pods:
        raise undecided(f"{where} has no pod that can answer")
    counts = Counter(pod.get(VERSION_LABEL, "") for pod in pods)
    if "" in counts:
        raise undecided(f"{where} has a pod without the label {VERSION_LABEL}")
    return {
        version: Fraction(counts[version], len(pods)) for version in sorted(counts, key=_natural)
    }


def _natural(version: str) -> list[tuple[int, str]]:
    """Sort v10 after v9."""
    return [
        (int(part or 0), part) if part.isdigit() else (0, part)
        for part in re.split(r"([0-9]+)", version)
    ]
