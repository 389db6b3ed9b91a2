"""Answers of the proxy's own: what nobody in the mesh could answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import extension

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json
    from meshdemo.rules.services import Service

BAD_GATEWAY = 502
NOT_IMPLEMENTED = 501
CALLED = "%REQ(:AUTHORITY)%"
"""Envoy puts the host that was called here."""

LED_TO = "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"
"""Envoy puts the endpoint here that a connection to an internal listener was meant for."""

NEVER_OUTSIDE = "the local engine reaches nothing but loopback"
ONLY_HTTP = f"meshdemo: {CALLED} was called by https without CONNECT; call it by http://\n"
NO_CONNECTIONS = (
    f"meshdemo: {CALLED} was called by https or CONNECT, and only ports for TCP and TLS take that; "
    "if it is HTTP, call it by http://\n"
)
LAST_REFUSAL = 404
"""CONNECT is refused by 403 or 404; what comes after are failures of a connection."""


def unknown_host(rules: str) -> Json:
    """Refuse every host that nothing else takes; ``rules`` says what they have to do with it."""
    text = (
        f"meshdemo: nothing is known as {CALLED}: no Service or ServiceEntry has this name, "
        f"and {rules}; {NEVER_OUTSIDE}; a Service of another namespace is called NAME.NAMESPACE\n"
    )
    return _refuse("block_all", ["*"], text)


def missing_port(service: Service, domains: list[str]) -> Json:
    """Refuse what a Service has no port for."""
    ports = ", ".join(str(port.number) for port in service.ports) or "none"
    text = f"meshdemo: {CALLED} leads nowhere: the ports of {service.title} are {ports}\n"
    return _refuse(f"{service.host}:*", domains, text)


def alias(service: Service, domains: list[str]) -> Json:
    """Refuse a name that stands for a host which nothing in the mesh has."""
    text = (
        f"meshdemo: {CALLED} leads out of the mesh: {service.title} is another name "
        f"of {service.external_name}; {NEVER_OUTSIDE}\n"
    )
    return _refuse(f"{service.host}:*", domains, text)


def block_all() -> Json:
    """Refuse all that a client does not know, as istiod does where a Sidecar says REGISTRY_ONLY."""
    route = {
        "name": "block_all",
        "match": {"prefix": "/"},
        "direct_response": {"status": BAD_GATEWAY},
    }
    return {"name": "block_all", "domains": ["*"], "routes": [route]}


def outside() -> Json:
    """Give the routes of the internal listener that answers for what is outside the mesh."""
    text = f"meshdemo: {CALLED} leads to {LED_TO}, which is outside the mesh; {NEVER_OUTSIDE}\n"
    return {"name": "outside", "virtual_hosts": [_refuse("outside", ["*"], text)]}


def _refuse(name: str, domains: list[str], text: str) -> Json:
    body = {"text_format_source": {"inline_string": text}}
    answer = {"status": BAD_GATEWAY, "body_format": body}
    route = {"name": name, "match": {"prefix": "/"}, "direct_response": answer}
    return {"name": name, "domains": domains, "routes": [route]}


def https_filter() -> Json:
    """Make the filter that denies absolute https URLs; CONNECT is the routes' business."""
    permission = {"header": {"name": ":scheme", "string_match": {"exact": "https"}}}
    policy = {"permissions": [permission], "principals": [{"any": True}]}
    rules = {"action": "DENY", "policies": {"https": policy}}
    return extension(
        "envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", rules=rules
    )


def local_replies() -> Json:
    """Give both refusals a status and a sentence that help."""
    status = {"default_value": LAST_REFUSAL, "runtime_key": "meshdemo.last_refusal"}
    refused = {"status_code_filter": {"comparison": {"op": "LE", "value": status}}}
    connect = {"and_filter": {"filters": [_called_by(":method", "CONNECT"), refused]}}
    https = _called_by(":scheme", "https")
    return {"mappers": [_mapper(connect, NO_CONNECTIONS), _mapper(https, ONLY_HTTP)]}


def _called_by(header: str, value: str) -> Json:
    match = {"name": header, "string_match": {"exact": value}}
    return {"header_filter": {"header": match}}


def _mapper(which: Json, text: str) -> Json:
    return {
        "filter": which,
        "status_code": NOT_IMPLEMENTED,
        "body_format_override": {"text_format_source": {"inline_string": text}},
    }
