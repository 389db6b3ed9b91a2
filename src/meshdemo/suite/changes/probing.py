"""The requests that are sent to both states: derived from the matches of both.

Each match gives requests that fulfil it, one that only one of the states has more of them. All
paths of a host are also asked with the headers, methods and clients of every other match of it, so
that rules that move past one another are seen. What differs comes first: no limit leaves it out.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from meshdemo.rules import gateways, hosts
from meshdemo.rules.delegates import Delegates
from meshdemo.rules.hosts import HTTP_PORT, MESH
from meshdemo.suite import usable
from meshdemo.suite.changes import contexts, samples
from meshdemo.suite.changes.contexts import SAFE, Context
from meshdemo.suite.changes.differing import aligned, differing, written
from meshdemo.suite.changes.meaning import hosts_of
from meshdemo.suite.model import Source
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object

Json = dict[str, Any]

MOST_COMBINATIONS = 400
"""Of paths of a host with what its other matches ask for; beside those of each match itself."""
FEW = 2
"""Paths of a match that is in both states."""
WILD = "any"
"""The first label of a host that a wildcard stands for."""


class Probe(Struct, frozen=True):
    """One request, and where it comes from."""

    request: Request
    source: Source
    host: str
    """As the rules write it."""
    path: str
    """With its query."""

    def label(self, *, with_host: bool = False) -> str:
        """Tell it from others: to the same host, or to any."""
        called = urlsplit(self.request.url).netloc
        place = called if with_host or called != self.host else ""
        words = [self.request.method] if self.request.method != "GET" else []
        words.append(f"{place}{self.path}")
        words += [f"with {name}: {value}" for name, value in self.request.headers]
        if self.source.gateway:
            words.append(f"through {self.source.gateway}")
        elif self.source.labels:
            words.append(f"from {self.source}")
        elif self.source.namespace:
            words.append(f"from namespace {self.source.namespace}")
        return " ".join(words)


class Probes(Struct, frozen=True):
    """All requests, and the hosts of which not every combination is among them."""

    every: tuple[Probe, ...]
    cut: tuple[str, ...] = ()


class _Host(Struct):
    """What the states say of a host."""

    gateways: dict[str, None]
    """Those that its rules are bound to, ``mesh`` among them."""
    rules: tuple[list[Json], ...]
    """The http rules of each state."""
    contexts: dict[Context, None]
    """Clients and ports that other objects may tell apart, which differ."""


Pair = tuple[str, Context]
"""A path, and what a request has beside it."""


def derived(states: Sequence[Sequence[Object]], namespace: str) -> Probes:
    """Derive the requests from the rules of one state, or of two; each request comes once."""
    found: dict[Probe, None] = {}
    cut = []
    for host, known in _known(states, namespace).items():
        own = dict.fromkeys(_own(known))
        combined = _first(_combined(known), MOST_COMBINATIONS + 1, own)
        if len(combined) > MOST_COMBINATIONS:
            cut.append(host)
        pairs = [*own, *combined[:MOST_COMBINATIONS]]
        for (path, context), gateway in product(pairs, known.gateways):
            found[_probe(host, path, context, gateway, namespace)] = None
    return Probes(tuple(found), tuple(cut))


def _first(pairs: Iterable[Pair], most: int, known: Mapping[Pair, None]) -> list[Pair]:
    """Give so many pairs that are not known; there may be millions, so no more are made."""
    found: dict[Pair, None] = {}
    for pair in pairs:
        if len(found) == most:
            break
        if pair not in known:
            found[pair] = None
    return list(found)


def _known(states: Sequence[Sequence[Object]], namespace: str) -> dict[str, _Host]:
    """Give the hosts of all rules, by the names that a client calls them by."""
    known: dict[str, _Host] = {}

    def host_of(item: Object, host: str, gateways: Iterable[str] = (MESH,)) -> _Host:
        called = _called(hosts.full_name(host, item.namespace), namespace)
        found = known.setdefault(called, _Host({}, tuple([] for _ in states), {}))
        found.gateways |= dict.fromkeys(gateways)
        return found

    for number, objects in enumerate(states):
        delegates = Delegates.among(objects)
        for item in objects:
            if item.kind == "DestinationRule":
                host_of(item, str(item.spec.get("host", "")))
            elif item.kind == "VirtualService":
                rules = delegates.whole(item).spec.get("http") or ()
                for host in item.spec.get("hosts") or ():
                    host_of(item, str(host), gateways.names_of(item)).rules[number].extend(rules)
    others = [
        side.item
        for each in (differing(*states) if len(states) > 1 else ())
        for side in (each.old, each.new)
        if side.item and usable.is_used(side.item)
    ]
    for item in others:
        bound = gateways.names_of(item) if item.kind == "VirtualService" else (MESH,)
        own = [host_of(item, host, bound) for host in hosts_of(item)]
        for each in known.values() if item.kind == "Sidecar" else own:
            each.contexts |= dict.fromkeys(contexts.of_object(item))
    return known


def _called(host: str, namespace: str) -> str:
    """Write a host as a client of the namespace calls it; for a wildcard, one that it covers."""
    if hosts.is_wildcard(host):
        return f"{WILD}.{host[1:].lstrip('.')}" if len(host) > 1 else f"{WILD}.example.com"
    if space := hosts.namespace_of(host):
        name = host.partition(".")[0]
        return name if space == namespace else f"{name}.{space}"
    return host


def _own(known: _Host) -> Iterator[Pair]:
    """Give the requests of each match itself: all of those that differ, some of the others."""
    yield from product(["/", f"/{samples.ANY}"], [Context(), *known.contexts])
    for match in _differing(known):
        first, *contexts_of_it = contexts.of_match(match, every=True)
        found = _paths(match)
        yield from ((path, context) for path in found for context in (Context(), first))
        yield from ((path, context) for path in found[:1] for context in contexts_of_it)
    for match in _every(known):
        found = _paths(match, FEW)
        yield from product(found, [Context(), *contexts.of_match(match)])


def _combined(known: _Host) -> Iterator[Pair]:
    """Give all paths with what all matches ask for, those of matches that differ first."""
    differing_paths, differing_contexts = _asked(_differing(known))
    paths, asked = _asked(_every(known))
    yield from product(paths, [*differing_contexts, *known.contexts])
    yield from product(differing_paths, asked)
    yield from product(paths, asked)


def _asked(matches: Sequence[Json]) -> tuple[list[str], list[Context]]:
    paths = dict.fromkeys(path for match in matches for path in _paths(match, FEW))
    asked = dict.fromkeys(each for match in matches for each in contexts.of_match(match))
    return list(paths), list(asked)


def _paths(match: Json, most: int | None = None) -> list[str]:
    found = samples.paths(match.get("uri"))[:most]
    if match.get("ignoreUriCase"):
        found = [path for each in found for path in (each, each.upper())]
    return found


def _every(known: _Host) -> list[Json]:
    return _matches(rule for rules in known.rules for rule in rules)


def _differing(known: _Host) -> list[Json]:
    """Give the matches of rules that are others in one of two states, or stand elsewhere."""
    if len(known.rules) == 1:
        return []
    old, new = known.rules
    pairs = aligned([written(rule) for rule in old], [written(rule) for rule in new])
    return _matches(
        rules[number]
        for pair in pairs
        for rules, number in zip(known.rules, pair, strict=True)
        if number is not None
    )


def _matches(rules: Iterable[Json]) -> list[Json]:
    return [match or {} for rule in rules for match in rule.get("match") or [{}]]


def _probe(host: str, path: str, context: Context, gateway: str, namespace: str) -> Probe:
    target = quote(path, SAFE) + (f"?{context.query}" if context.query else "")
    space = context.namespace if context.namespace != namespace and gateway == MESH else ""
    called = context.authority or host
    if space and "." not in called:
        called = f"{called}.{namespace}"  # as a client of another namespace calls it
    if context.port != HTTP_PORT and ":" not in called:
        called = f"{called}:{context.port}"
    request = Request(
        f"{context.scheme if gateway != MESH else 'http'}://{called}{target}",
        context.method,
        context.headers,
        wants_headers=True,
    )
    if gateway != MESH:
        return Probe(request, Source(gateway=gateway), host, target)
    return Probe(request, Source(space, context.labels), host, target)
