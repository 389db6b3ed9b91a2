"""Opening a websocket as the kubernetes client does, but not for ever: its own has no limit."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import websocket
from kubernetes.stream import ws_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes import client


def connect(
    configuration: client.Configuration, url: str, headers: Mapping[str, str], timeout: float
) -> websocket.WebSocket:
    """Open a websocket; ``timeout`` bounds each wait: for the server, for TLS, for the answer."""
    socket = websocket.WebSocket(sslopt=_tls(configuration))
    proxy = ws_client.websocket_proxycare({}, configuration, url, headers)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    socket.connect(url, header=lines, timeout=timeout, **proxy)
    return socket


def _tls(configuration: client.Configuration) -> dict[str, Any]:
    """Say who we are and whom we trust: without a CA of the kubeconfig's, those of the system."""
    found: dict[str, Any] = {
        "cert_reqs": ssl.CERT_NONE,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    if configuration.verify_ssl:
        found |= {
            "cert_reqs": ssl.CERT_REQUIRED,
            "ca_certs": configuration.ssl_ca_cert,
            "check_hostname": configuration.assert_hostname,
        }
    return {name: value for name, value in found.items() if value is not None}
