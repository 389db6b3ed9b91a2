"""tcp and tls rules: connections through real Envoys, each of which goes to one pod."""

from __future__ import annotations

import shlex
import socket
import ssl
import sys
from collections import Counter
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests import objects as make
from tests.objects import made, to

from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object

SECONDS = 60
INJECTED = {"sidecar.istio.io/inject": "true"}
GREETER = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            if connection.recv(65536):  # what is left unread would make its end a reset
                connection.sendall(sys.argv[1].encode() + bytes([10]))
"""
"""Answers whatever comes by its version: a handshake, too."""

service = partial(make.service, namespace="default")


def workload(
    app: str, version: str, container: dict[str, Any], annotations: dict[str, str], **labels: str
) -> Object:
    own = {"app": app, "version": version}
    template = {
        "metadata": {"labels": {**own, **labels}, "annotations": annotations},
        "spec": {"containers": [{"name": app, **container}]},
    }
    return made(
        "Deployment",
        f"{app}-{version}",
        "default",
        selector={"matchLabels": own},
        template=template,
    )


def greeter(version: str) -> Object:
    command = shlex.join([sys.executable, "-c", GREETER, version, "{port}"])
    container = {"image": "example/sec", "ports": [{"containerPort": 8443}]}
    return workload("sec", version, container, {"meshdemo.dev/command": command})


def tcp_echo(version: str, word: str, **labels: str) -> Object:
    """Give a Deployment of Istio's own sample, samples/tcp-echo/tcp-echo-services.yaml."""
    container = {
        "image": "docker.io/istio/tcp-echo-server:1.3",
        "args": ["9000,9001,9002", word],
        "ports": [{"containerPort": 9000}, {"containerPort": 9001}],
    }
    return workload("tcp-echo", version, container, {}, **labels)


def greeted(local: LocalEngine, server: str) -> str:
    """Begin a TLS handshake for a server, and give what answers it."""
    proxy = urlsplit(local.proxy_url())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=server)
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
    with closing(
        socket.create_connection((str(proxy.hostname), proxy.port or 0), SECONDS)
    ) as connection:
        connection.sendall(b"CONNECT sec:443 HTTP/1.1\r\nHost: sec:443\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(1)
        connection.sendall(hello)
        return connection.recv(100).decode().strip()


def sent(local: LocalEngine, url: str, count: int = 20) -> Counter[str]:
    replies = local.send(Request(url), count, SECONDS)
    return Counter(_said(reply) for reply in replies)


def _said(reply: Reply) -> str:
    return reply.error or (reply.body if reply.status == 200 else f"{reply.status} {reply.body}")


def test_connections_follow_tcp_and_tls_rules(local: LocalEngine) -> None:
    weights: list[dict[str, Any]] = [
        to("v1", 80, host="tcp-echo"),
        to("v2", 20, host="tcp-echo"),
    ]
    subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]
    ports = [{"name": "tcp", "port": 9000}, {"name": "tcp-other", "port": 9001}]
    objects = [
        service(*ports, {"name": "http", "port": 80, "targetPort": 9002}, name="tcp-echo"),
        service({"name": "https", "port": 443, "targetPort": 8443}, name="sec"),
        tcp_echo("v1", "one"),
        tcp_echo("v2", "two", **INJECTED),
        greeter("v1"),
        greeter("v2"),
        make.deployment("testclient", namespace="default", labels=INJECTED),
        made("DestinationRule", "tcp-echo", "default", host="tcp-echo", subsets=subsets),
        made("DestinationRule", "sec", "default", host="sec", subsets=subsets),
        made(
            "VirtualService", "tcp-echo", "default", hosts=["tcp-echo"],
            tcp=[{"match": [{"port": 9000}], "route": weights}],
        ),
        made(
            "VirtualService", "sec", "default", hosts=["sec", "*.example"],
            tls=[
                {"match": [{"sniHosts": ["a.example"]}], "route": [to("v1", host="sec")]},
                {"match": [{"sniHosts": ["*.example"]}], "route": [to("v2", host="sec")]},
            ],
        ),
    ]  # fmt: skip
    local.apply(objects)
    local.wait_ready(objects, SECONDS)

    shares = sent(local, "tcp://tcp-echo:9000", 500)
    assert set(shares) == {"one hello", "two hello"}
    assert 340 < shares["one hello"] < 460  # eight standard deviations of 80 % at 400
    assert set(sent(local, "tcp://tcp-echo:9001/")) == {"one hello", "two hello"}
    (refused,) = sent(local, "tcp://tcp-echo:80", 1)
    assert refused.startswith("501 meshdemo: tcp-echo:80 was called by https or CONNECT")

    for server, version in [("a.example", "v1"), ("b.example", "v2"), ("A.EXAMPLE", "v1")]:
        assert {greeted(local, server) for _ in range(6)} == {version}
    assert {greeted(local, "else.where") for _ in range(30)} == {"v1", "v2"}
    assert set(sent(local, "tcp://sec:443", 30)) == {"v1", "v2"}

    gone = [item for item in objects if item.name == "tcp-echo-v2"]
    local.delete(gone)
    assert set(sent(local, "tcp://tcp-echo:9000", 40)) == {"one hello", "connection reset"}
