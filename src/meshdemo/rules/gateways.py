"""Gateways: which VirtualServices are bound to one, and what it answers by them.

A gateway knows no service by itself: what no rule takes gets 404. Where several VirtualServices
bound to it have a host in common it has the rules of all of them, which a sidecar never does.

Source: ``buildGatewayHTTPRouteConfig`` in istiod's core/gateway.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.rules import delegates, hosts
from meshdemo.rules.hosts import MESH
from meshdemo.rules.http_matches import takes_everything

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.virtual_services import VirtualService

KIND = "Gateway"
HTTP_PROTOCOLS = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS"})


def names_of(rule: Object) -> tuple[str, ...]:
    """Give the gateways that a VirtualService is bound to, as NAMESPACE/NAME; ``mesh`` too."""
    named = rule.spec.get("gateways")
    given = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    return tuple(hosts.gateway_in_full(name, rule.namespace) for name in given) or (MESH,)


def as_for_sidecars(rule: Object, gateway: str) -> Object:
    """Give a VirtualService that is bound to a gateway as if that were the sidecars' own.

    In its matches, too, the gateway's name becomes ``mesh``, and any other name none at all.
    """

    def renamed(match: Any) -> Any:  # noqa: ANN401 - YAML is any data
        if not isinstance(match, dict) or not match.get("gateways"):
            return match
        named = [hosts.gateway_in_full(each, rule.namespace) for each in match["gateways"]]
        others = [name for name in named if name != MESH]
        return {**match, "gateways": [MESH] if gateway in named else others}

    http = [
        {**each, "match": [renamed(match) for match in each.get("match") or ()]}
        for each in rule.spec.get("http") or ()
    ]
    spec = {name: value for name, value in rule.spec.items() if name != "gateways"}
    return rule.with_data({**rule.data, "spec": {**spec, "http": http} if http else spec})


class Server(Struct, frozen=True):
    """What one server of a Gateway says of HTTP."""

    hosts: tuple[tuple[str, str], ...]
    """Namespace, or ``*``, and host."""
    port: int
    tls: bool
    """Whether TLS ends there."""
    redirects: bool
    """Whether plain HTTP is sent on to https."""

    def takes(self, host: str, namespace: str) -> str:
        """Give what a host of a VirtualService comes to there; empty if nothing is left of it."""
        for space, own in self.hosts:
            if space in ("*", namespace) and hosts.overlap(own, host):
                return max(own, host, key=lambda name: (not hosts.is_wildcard(name), len(name)))
        return ""


def servers(gateway: Object) -> tuple[Server, ...]:
    """Read the servers of a Gateway that take HTTP."""
    found = []
    for each in gateway.spec.get("servers") or ():
        port, tls = each.get("port") or {}, each.get("tls") or {}
        protocol = str(port.get("protocol", "")).upper()
        mode = tls.get("mode", "SIMPLE")
        if protocol not in HTTP_PROTOCOLS or (protocol == "HTTPS" and mode == "PASSTHROUGH"):
            continue
        named = tuple(_host(str(name), gateway.namespace) for name in each.get("hosts") or ())
        redirects = tls.get("httpsRedirect") is True
        is_tls = protocol == "HTTPS"
        found.append(Server(named, int(port.get("number") or 0), is_tls, redirects and not is_tls))
    return tuple(found)


def servers_among(objects: Iterable[Object], gateway: str) -> tuple[Server, ...] | None:
    """Read the servers of a gateway; None where there is no such Gateway among the objects."""
    for item in objects:
        if item.kind == KIND and f"{item.namespace}/{item.name}" == gateway:
            return servers(item)
    return None


def _host(text: str, own: str) -> tuple[str, str]:
    space, slash, host = text.partition("/")
    if not slash:
        return "*", text.lower()
    return (own if space == "." else space), host.lower()


def ports(known: Sequence[Server] | None) -> list[int]:
    """Give the ports of a gateway that take HTTP: 80 where nothing says any."""
    return sorted({server.port for server in known or ()}) or [hosts.HTTP_PORT]


def port_called(known: Sequence[Server] | None, called: int, *, tls: bool) -> int:
    """Say on which port of a gateway a request comes in that calls some port.

    Where the gateway has no such port it is one before it, as of a load balancer: then the first
    that takes the like.
    """
    every = ports(known)
    alike = sorted({server.port for server in known or () if server.tls == tls})
    return called if called in every else (alike or every)[0]


def hosts_at(rule: VirtualService, known: Sequence[Server] | None, port: int) -> Mapping[str, bool]:
    """Give the hosts of a rule that a gateway takes, each with whether it sends them to https.

    ``known`` are its servers, of which those on ``port`` count; None where the Gateway itself is
    not there, and may take anything.
    """
    if known is None:
        return dict.fromkeys(map(str.lower, rule.hosts), False)
    here = [server for server in known if server.port == port]
    found: dict[str, bool] = {}
    for name in map(str.lower, rule.hosts):
        for server in here:
            if taken := server.takes(name, rule.namespace):
                found[taken] = found.get(taken, False) or server.redirects
    return found


def merged(first: VirtualService, second: VirtualService) -> VirtualService:
    """Give one with the rules of both, those that take every request last.

    Source: ``SortVHostRoutes`` in istiod's core/route.
    """
    rules = [
        (delegates.in_full(dict(http), each.namespace), origin)
        for each in (first, second)
        for http, origin in zip(each.http, _origins(each), strict=True)
    ]
    rules.sort(key=lambda rule: _takes_all(rule[0]))
    return replace(
        first,
        http=tuple(http for http, _ in rules),
        origins=tuple(origin for _, origin in rules),
    )


def _origins(rule: VirtualService) -> Sequence[tuple[tuple[str, str], int]]:
    return rule.origins or [(rule.key, number) for number in range(len(rule.http))]


def _takes_all(http: Mapping[str, Any]) -> bool:
    matches = http.get("match") or []
    return not matches or any(match is None or takes_everything(match) for match in matches)


def known_hosts(rules: Iterable[Object]) -> dict[str, set[str]]:
    """Give for each host of the VirtualServices what they are bound to."""
    found: dict[str, set[str]] = {}
    for rule in rules:
        for host in rule.spec.get("hosts") or ():
            full = hosts.full_name(str(host), rule.namespace)
            found.setdefault(full, set()).update(names_of(rule))
    return found
