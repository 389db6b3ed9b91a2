"""TLS and the PROXY protocol: what goes over a connection before the requests do.

ISTIO_MUTUAL, as no tls at all, is plain text: everything stays on loopback.

Source: ``buildUpstreamClusterTLSContext``, ``constructUpstreamTLS`` and
``setAutoSniAndAutoSanValidation`` in istiod's core/cluster_tls.go,
``applyUpstreamProxyProtocol`` in core/cluster_traffic_policy.go. istiod has its agent read the
files; here Envoy does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local import certificates
from meshdemo.engines.local.translate.resources import extension
from meshdemo.rules import traffic_policies

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

VERSIONS = {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"}
NAMES = ("DNS", "URI", "EMAIL", "IP_ADDRESS")
"""The kinds of names in a certificate among which each of subjectAltNames is looked for."""


def transport(policy: Json, *, http2: bool) -> Json:
    """Translate how connections are made; empty for plain ones."""
    tls = traffic_policies.originated_tls(policy)
    socket = _tls(tls, http2=http2) if tls else None
    if "proxyProtocol" in policy:
        socket = extension(
            "envoy.transport_sockets.upstream_proxy_protocol",
            "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
            config={"version": policy["proxyProtocol"].get("version") or "V1"},
            transport_socket=socket or _plain(),
        )
    return {"transport_socket": socket} if socket else {}


def http_options(policy: Json) -> Json:
    """Say by which name the server is called and known: where nothing is said, by the request's."""
    tls = traffic_policies.originated_tls(policy)
    if not tls or tls.get("sni"):
        return {}
    found = {"auto_sni": True}
    if not tls.get("subjectAltNames") and not _trusts_anybody(tls):
        found["auto_san_validation"] = True
    return {"upstream_http_protocol_options": found}


def _tls(tls: Json, *, http2: bool) -> Json:
    common: Json = {"tls_params": VERSIONS}
    if tls["mode"] == "MUTUAL":
        own = {"certificate_chain": "clientCertificate", "private_key": "privateKey"}
        common["tls_certificates"] = [{name: {"filename": tls[own[name]]} for name in own}]
    common["validation_context"] = {} if _trusts_anybody(tls) else _validation(tls)
    if http2:
        common["alpn_protocols"] = ["h2"]
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context=common,
        **({"sni": tls["sni"]} if tls.get("sni") else {}),
    )


def _validation(tls: Json) -> Json:
    known = tls.get("caCertificates") or certificates.system_roots()
    found: Json = {"trusted_ca": {"filename": known}}
    if crl := tls.get("caCrl"):
        found["crl"] = {"filename": crl}
    if names := tls.get("subjectAltNames"):
        found["match_typed_subject_alt_names"] = [
            {"san_type": kind, "matcher": {"exact": name}} for name in names for kind in NAMES
        ]
    return found


def _trusts_anybody(tls: Json) -> bool:
    return tls.get("insecureSkipVerify") is True


def _plain() -> Json:
    return extension("raw_buffer", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")
