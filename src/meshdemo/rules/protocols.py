"""What is spoken on a port of a Service, as Istio selects it by the port's name."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEVER_DETECTED = frozenset({25, 53, 3306, 27017})
"""Ports on which the server speaks first: detecting HTTP would block them, so they are TCP."""


class Protocol(Enum):
    """What is spoken on a port, as far as routing cares."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    AUTO = "auto-detected"
    TCP = "TCP"
    TLS = "TLS"
    UDP = "UDP"

    @property
    def takes_http_rules(self) -> bool:
        return self in (Protocol.HTTP, Protocol.HTTP2, Protocol.AUTO)

    @property
    def takes_connections(self) -> bool:
        """Tell whether something else than HTTP may be spoken there."""
        return self in (Protocol.TCP, Protocol.TLS, Protocol.AUTO)


_BY_NAME = {
    "http": Protocol.HTTP,
    "http_proxy": Protocol.HTTP,
    "kubernetes.io/ws": Protocol.HTTP,
    "http2": Protocol.HTTP2,
    "grpc": Protocol.HTTP2,
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/wss": Protocol.TLS,
    "udp": Protocol.UDP,
    **dict.fromkeys(("tcp", "mongo", "redis", "mysql"), Protocol.TCP),
    **dict.fromkeys(("https", "tls"), Protocol.TLS),
}


def named_protocol(name: str) -> Protocol:
    """Select the protocol by the word of a ServiceEntry; whatever Istio does not know it detects.

    Source: ``Parse`` in Istio's pkg/config/protocol.
    """
    word = name.lower()
    return Protocol.HTTP2 if word == "grpc-web" else _BY_NAME.get(word, Protocol.AUTO)


WORDS = frozenset(word for word in (*_BY_NAME, "grpc-web") if "/" not in word)
"""What a ServiceEntry may call a protocol; without a word it is detected."""


def any_takes_http_rules(ports: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether http rules hold on any of a Service's ports."""
    return any(protocol_of(port).takes_http_rules for port in ports)


def protocol_of(port: Mapping[str, Any]) -> Protocol:
    """Select the protocol of a Service's port: appProtocol, else its name up to the first ``-``."""
    if port.get("protocol") == "UDP":
        return Protocol.UDP
    declared = port.get("appProtocol")
    name = str(declared if declared is not None else port.get("name") or "")
    if declared in _BY_NAME:  # also the names with a slash, which only appProtocol may have
        return _BY_NAME[declared]
    if name.lower().startswith("grpc-web"):
        return Protocol.HTTP2
    found = _BY_NAME.get(name.partition("-")[0].lower())
    if found is not None:
        return found
    return Protocol.TCP if port.get("port") in NEVER_DETECTED else Protocol.AUTO
