"""What Istio takes in a traffic policy and Envoy does not: its sidecars would reject it unseen.

Source: the constraints in Envoy's route_components.proto, cluster.proto and ring_hash.proto.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshdemo.engines.local.fields.types import UINT32
from meshdemo.objects import durations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

LARGEST_RING = 8 * 1024 * 1024
LONGEST_ATTRIBUTE = 16_384
"""Bytes of an attribute's name, and of its value."""
BREAKS_LINE = re.compile(r"[\0\r\n]")


def problems(rule: Place) -> Iterator[Problem]:
    """Judge all policies of a DestinationRule."""
    spec = rule["spec"]
    for part in (spec, *spec["subsets"].items):
        policy = part["trafficPolicy"]
        yield from _negative(policy["retryBudget"]["budgetInterval"])
        for settings in (policy, *policy["portLevelSettings"].items):
            yield from _hash_problems(settings["loadBalancer"]["consistentHash"])
            yield from _keepalive_problems(settings["connectionPool"]["tcp"]["tcpKeepalive"])


def _hash_problems(consistent: Place) -> Iterator[Problem]:
    for name in ("httpHeaderName", "httpQueryParameterName"):
        hashed = consistent[name]
        if hashed.is_text and not hashed.text:
            yield hashed.problem("Istio takes an empty name, but Envoy does not")
    yield from _line_problems(consistent["httpHeaderName"])
    for size in (consistent["minimumRingSize"], consistent["ringHash"]["minimumRingSize"]):
        if size.number > LARGEST_RING:
            yield size.problem(f"Istio takes {size.value}, but Envoy only {LARGEST_RING} at most")
    if consistent["maglev"]["tableSize"].value == 1:
        message = "Istio takes a table of one entry, and Envoy ends when it gets it"
        yield consistent["maglev"]["tableSize"].problem(message)
    cookie = consistent["httpCookie"]
    yield from _negative(cookie["ttl"])
    parts = [
        attribute[name] for attribute in cookie["attributes"].items for name in ("name", "value")
    ]
    for part in (cookie["name"], cookie["path"], *parts):
        yield from _line_problems(part)
    for part in parts:
        if len(part.text.encode(errors="replace")) > LONGEST_ATTRIBUTE:
            yield part.problem(f"Envoy takes {LONGEST_ATTRIBUTE:,} bytes at most")


def _keepalive_problems(alive: Place) -> Iterator[Problem]:
    for name in ("time", "interval"):
        length = durations.seconds(alive[name].text)
        if length is not None and length > UINT32:
            yield alive[name].problem(f"Istio takes it, but Envoy only {UINT32}s at most")


def _negative(length: Place) -> Iterator[Problem]:
    if (durations.seconds(length.text) or 0) < 0:
        yield length.problem(f'Istio takes "{length.text}", but Envoy no negative duration')


def _line_problems(part: Place) -> Iterator[Problem]:
    if BREAKS_LINE.search(part.text):
        yield part.problem("Istio takes a line break or NUL here, but Envoy does not")
