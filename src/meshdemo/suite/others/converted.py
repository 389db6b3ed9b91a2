"""What a file of others becomes, test by test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from meshdemo.rules import hosts
from meshdemo.verdict.expectation import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.suite.others.taking import KnownRules

Json = dict[str, Any]


@dataclass
class Converted:
    """RouteTests in the making."""

    known: KnownRules
    tests: list[tuple[Json, int]] = field(default_factory=list)
    """Each with the line that it comes from."""
    remarks: tuple[Problem, ...] = ()
    stand_ins: dict[str, dict[str, None]] = field(default_factory=dict)
    """Hosts, each with the versions of pods that are made up for it."""

    def add(self, place: Place, name: str, request: Json, expect: Json) -> None:
        """Add a test, under a name that no other one has."""
        taken = {test["name"] for test, _ in self.tests}
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name} ({number})"
        line = place.item.line(*place.path)
        self.tests.append(({"name": unique, "request": request, "expect": expect}, line))

    def remark(self, place: Place, message: str, hint: str = "") -> None:
        """Say something of a place, once."""
        self.remarks = tuple(dict.fromkeys((*self.remarks, place.problem(message, hint))))

    def shares(
        self, weighted: Iterable[tuple[Mapping[str, Any], Fraction]], namespace: str, place: Place
    ) -> Json:
        """Write which version gets which share, of destinations with a share each."""
        total: dict[str, Fraction] = {}
        hosts_by_name: dict[str, set[tuple[str, str]]] = {}
        for destination, share in weighted:
            self.told_apart(destination, namespace)
            for name, part in self.known.outcomes(destination, namespace).items():
                total[name] = total.get(name, Fraction(0)) + share * part
                which = str(destination.get("host")), str(destination.get("subset") or "")
                hosts_by_name.setdefault(name, set()).add(which)
        for name, several in hosts_by_name.items():
            if len(several) > 1:
                said = " and ".join(" ".join(filter(None, each)) for each in sorted(several))
                self.remark(place, f"{said} both answer as version {name}, so they count together")
        return {name: f"{percent(share)}%" for name, share in total.items()}

    def named(self, destination: Mapping[str, Any], namespace: str) -> None:
        """See that there is what a destination names; rules may name neither host nor subset."""
        host = hosts.full_name(str(destination.get("host", "")), namespace)
        subset = str(destination.get("subset") or "")
        if host not in self.known.hosts or (subset and not self.known.has_subset(host, subset)):
            self._make_up(host, destination, namespace)

    def told_apart(self, destination: Mapping[str, Any], namespace: str) -> None:
        """Give a host a version of its own, where nothing else tells its answers from others'."""
        self.named(destination, namespace)
        host = hosts.full_name(str(destination.get("host", "")), namespace)
        if not destination.get("subset") and not self.known.has_pods(host):
            self._make_up(host, destination, namespace)

    def _make_up(self, host: str, destination: Mapping[str, Any], namespace: str) -> None:
        versions = self.known.outcomes(destination, namespace)
        self.stand_ins.setdefault(host, {}).update(dict.fromkeys(versions))


def redirected(redirect: Mapping[str, Any], url: str, match: Mapping[str, Any] | None) -> str:
    """Give the Location to which a redirect sends a request."""
    parts = re.fullmatch(r"(https?)://([^/?#:]+)(:\d+)?([^?#]*)(\?[^#]*)?.*", url)
    assert parts is not None  # noqa: S101 - whoever asks has written the URL
    scheme, host, port, path, query = (part or "" for part in parts.groups())
    wanted = redirect.get("scheme") or scheme
    port = "" if port == ":80" else port  # which no client sends
    authority = redirect.get("authority") or host + port
    number = redirect.get("port")
    if redirect.get("derivePort") == "FROM_REQUEST_PORT":
        number = int(port[1:] or 80)
    if number and number != {"http": 80, "https": 443}[wanted]:
        authority = f"{authority.partition(':')[0]}:{number}"
    if uri := redirect.get("uri"):
        return f"{wanted}://{authority}{uri}" + ("" if "?" in uri else query)
    prefix = ((match or {}).get("uri") or {}).get("prefix", "")
    if replaced := redirect.get("prefixRewrite"):
        path = replaced + path[len(prefix) :]
    return f"{wanted}://{authority}{path or '/'}{query}"
