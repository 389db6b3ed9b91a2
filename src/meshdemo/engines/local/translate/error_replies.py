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

ONLY_HTTP = f"meshdemo: {CALLED} was called by https or CONNECT; only http:// is supported\n"


def unknown_host(rules: str) -> Json:
    """Refuse every host that nothing else takes; ``rules`` says what they have to do with it."""
    text = (
        f"meshdemo: nothing is known as {CALLED}: no Service has this name, and {rules}; "
        "a Service of another namespace is called NAME.NAMESPACE\n"
    )
    return _refuse("block_all", ["*"], text)


def missing_port(service: Service, domains: list[str]) -> Json:
    """Refuse what a Service has no port for."""
    ports = ", ".join(str(port.number) for port in service.ports) or "none"
    text = (
        f"meshdemo: {CALLED} leads nowhere: "
        f"the ports of Service {service.namespace}/{service.name} are {ports}\n"
    )
    return _refuse(f"{service.host}:*", domains, text)


def _refuse(name: str, domains: list[str], text: str) -> Json:
    body = {"text_format_source": {"inline_string": text}}
    answer = {"status": BAD_GATEWAY, "body_format": body}
    route = {"name": name, "match": {"prefix": "/"}, "direct_response": answer}
    return {"name": name, "domains": domains, "routes": [route]}


def https_filter() -> Json:
    """Make the filter that denies absolute https URLs; CONNECT Envoy refuses by itself."""
    permission = {"header": {"name": ":scheme", "string_match": {"exact": "https"}}}
    policy = {"permissions": [permission], "principals": [{"any": True}]}
    rules = {"action": "DENY", "policies": {"https": policy}}
    return extension(
        "envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", rules=rules
    )


def local_replies() -> Json:
    """Give both refusals a status and a sentence that help."""
    wanted = ((":method", "CONNECT"), (":scheme", "https"))
    return {"mappers": [_mapper(header, value) for header, value in wanted]}


def _mapper(header: str, value: str) -> Json:
    match = {"name": header, "string_match": {"exact": value}}
    text = {"text_format_source": {"inline_string": ONLY_HTTP}}
    return {
        "filter": {"header_filter": {"header": match}},
        "status_code": NOT_IMPLEMENTED,
        "body_format_override": text,
    }
