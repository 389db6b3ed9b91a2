"""The tcp and tls rules of VirtualServices: what a client's sidecar does with a connection.

They hold where no HTTP is seen: on ports for TCP and TLS, and for what is no HTTP on a port whose
protocol is detected. Unlike http rules, those of all VirtualServices for a host hold together, in
the order in which these take precedence.

Source: ``buildSidecarOutboundTCPFilterChainOpts``, ``buildSidecarOutboundTLSFilterChainOpts`` and
``buildListenerFromEntry`` in istiod's networking/core (tls.go, listener.go), and Envoy's
documentation of FilterChainMatch.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.rules import hosts
from meshdemo.rules.hosts import MESH
from meshdemo.rules.protocols import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.rules.client_view import Client, ClientView
    from meshdemo.rules.services import Service, ServicePort
    from meshdemo.rules.virtual_services import VirtualService

Json: TypeAlias = "dict[str, Any]"

ANY_SERVER = "*"
_NOWHERE, _ANYWHERE = -1, 0


class Chain(Struct, frozen=True):
    """What becomes of some of the connections to a port of a service: Envoy's filter chain."""

    servers: tuple[str, ...] = ()
    """The names (SNI) for which a TLS handshake asks; none means whatever it is, TLS or not."""
    subnets: tuple[str, ...] = ()
    """Where the address that was dialled must be; none means anywhere."""
    rule: VirtualService | None = None
    """None where no rule decides: the connection goes to the service itself."""
    route: tuple[Json, ...] = ()
    """The destinations with their weights."""
    passes_on: bool = False
    """It goes on to the address that was dialled: a sidecar has no chain that takes it."""

    @property
    def takes_all(self) -> bool:
        return not self.servers and not self.subnets


def chains(service: Service, port: ServicePort, view: ClientView) -> list[Chain]:
    """Give the chains for connections to a port of a service, by the name that a handshake says.

    The last one says no ``servers``: it takes what the others leave.
    """
    rules = view.virtual_services_by_host.overlapping(service.host)
    of_protocol = _tls_chains if port.protocol is Protocol.TLS else _tcp_chains
    found = list(of_protocol(rules, port.number, view.client))
    # Of several that take all only the last one stays the listener's default filter chain.
    rest = next((chain for chain in reversed(found) if chain.takes_all), Chain(passes_on=True))
    return _by_server([chain for chain in found if not chain.takes_all], rest, service.address)


def of_client(view: ClientView) -> Iterator[Chain]:
    """Give the chains for all that a client knows."""
    for service in view.services.values():
        for port in () if service.is_alias else service.ports:
            if port.protocol.takes_connections:
                yield from chains(service, port, view)


def unnamed(service: Service, port: ServicePort, view: ClientView) -> Chain:
    """Give the chain for connections that begin with no TLS handshake."""
    return chains(service, port, view)[-1]


def takes(match: Mapping[str, Any], port: int, client: Client) -> bool:
    """Judge what istiod decides for each sidecar and port (``matchTCP``, ``matchTLS``)."""
    if match.get("gateways") and MESH not in match["gateways"]:
        return False
    if match.get("port") and match["port"] != port:
        return False
    if match.get("sourceNamespace", "") not in ("", client.namespace):
        return False
    return hosts.within(match.get("sourceLabels") or {}, client.labels)


def is_for(rule: VirtualService, port: ServicePort, client: Client) -> bool:
    """Tell whether a VirtualService has a rule for connections of a client's to a port."""
    rules = rule.tls if port.protocol is Protocol.TLS else rule.tcp
    matches = (match for each in rules for match in each.get("match") or [{}])
    return any(takes(match, port.number, client) for match in matches)


def _tcp_chains(rules: Iterable[VirtualService], port: int, client: Client) -> Iterator[Chain]:
    """Give a chain for each rule, up to the first that takes every connection."""
    for rule in rules:
        for tcp in rule.tcp:
            chain = Chain(rule=rule, route=tuple(tcp.get("route") or ()))
            matches = tcp.get("match") or [{}]
            known = [match for match in matches if takes(match, port, client)]
            subnets = [match.get("destinationSubnets") or [] for match in known]
            if known and not all(subnets):
                yield chain
                return
            if known:
                yield replace(chain, subnets=tuple(one for each in subnets for one in each))
    yield Chain()


def _tls_chains(rules: Iterable[VirtualService], port: int, client: Client) -> Iterator[Chain]:
    """Give a chain for each match, unless one before it says the same; else one for all."""
    seen = set()
    subnets: tuple[str, ...] = ()
    every = ((rule, tls, match) for rule in rules for tls in rule.tls for match in tls["match"])
    for rule, tls, match in every:
        if not takes(match, port, client):
            continue
        servers, own = tuple(match["sniHosts"]), tuple(match.get("destinationSubnets") or ())
        # istiod keeps the subnets of a match for those after it that say none.
        subnets = own or subnets
        if (servers, own) not in seen:
            named = () if ANY_SERVER in servers else tuple(map(str.lower, servers))
            yield Chain(named, subnets, rule, tuple(tls.get("route") or ()))
        seen.add((servers, own))
    if not seen:
        yield Chain()


def _by_server(found: Sequence[Chain], rest: Chain, address: str) -> list[Chain]:
    """Choose among chains as Envoy does: the longest range with the address, then the name.

    No other range is tried then, only ``rest``. Of two chains for one name the first has it; Envoy
    takes no such listener.
    """
    lengths = [_length(chain.subnets, address) for chain in found]
    longest = max(lengths, default=_NOWHERE)
    here = [
        chain for chain, length in zip(found, lengths, strict=True) if length == longest != _NOWHERE
    ]
    given: set[str] = set()
    named = []
    for chain in here:
        if fresh := tuple(name for name in dict.fromkeys(chain.servers) if name not in given):
            given.update(fresh)
            named.append(replace(chain, servers=fresh))
    return [*named, next((chain for chain in here if not chain.servers), rest)]


def _length(subnets: Sequence[str], address: str) -> int:
    """Give the length of the longest prefix that has an address; _NOWHERE if none has."""
    if not subnets:
        return _ANYWHERE
    known = [ip_network(subnet, strict=False) for subnet in subnets]
    if not address:  # whatever it is, it is in a range that has all
        return max((net.prefixlen for net in known if not net.prefixlen), default=_NOWHERE)
    return max((net.prefixlen for net in known if ip_address(address) in net), default=_NOWHERE)
