"""Traffic policies of a DestinationRule, as real Envoys on loopback carry them out."""

from __future__ import annotations

import http.client
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.contract.test_local_mesh import deployment, objects, service
from tests.paths import ROOT

from meshdemo.errors import InputError
from meshdemo.objects.labels import COMMAND, INJECT_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPMessage
    from pathlib import Path

    from meshdemo.engines.local.engine import LocalEngine

Json = dict[str, Any]

SECONDS = 60
PEM = ROOT / "tests" / "both-sides.pem"
"""A certificate for servers and clients that signed itself, and its key. Its names are quay and
localhost; it was made by ``openssl req -x509 -newkey ec``, and holds until the year 2119."""
TLS_SERVER = """
import http.server, json, ssl, sys
port, pem = int(sys.argv[1]), sys.argv[2]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(pem)
context.load_verify_locations(pem)
context.verify_mode = ssl.CERT_OPTIONAL
context.sni_callback = lambda connection, name, _: setattr(connection, "called", name)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    def do_GET(self):
        knows = bool(self.connection.getpeercert())
        body = json.dumps({"called": self.connection.called, "knows": knows}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
server.socket = context.wrap_socket(server.socket, True, do_handshake_on_connect=False)
server.serve_forever()
"""


def rule(**policy: Any) -> Json:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "quay"},
        "spec": {"host": "quay", "trafficPolicy": policy},
    }


def consistent(**key: Any) -> Json:
    return rule(loadBalancer={"consistentHash": key})


def up(local: LocalEngine, *data: Json) -> None:
    found = local.inject(objects(*data, deployment("testclient")))
    local.apply(found)
    local.wait_ready(found, SECONDS)


@pytest.fixture
def send(local: LocalEngine) -> Iterator[Callable[..., tuple[int, Json, HTTPMessage]]]:
    """Give what sends a request from the test client, each time on the same connection."""
    kept: list[http.client.HTTPConnection] = []

    def ask(path: str = "/", **headers: str) -> tuple[int, Json, HTTPMessage]:
        if not kept:
            kept.append(connect(local))
        kept[0].request("GET", f"http://quay{path}", headers=named(headers))
        answer = kept[0].getresponse()
        body = answer.read()
        said = json.loads(body) if answer.status == 200 else {"error": body.decode()}
        return answer.status, said, answer.headers

    yield ask
    for connection in kept:
        connection.close()


def connect(local: LocalEngine) -> http.client.HTTPConnection:
    address = urlsplit(local.proxy_url())
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def test_a_hash_keeps_equal_requests_at_one_pod(local: LocalEngine, send: Any) -> None:
    up(local, service("quay"), deployment("quay", 3), consistent(httpHeaderName="x-user"))

    def pods(count: int, path: str = "/", **headers: str) -> Counter[str]:
        each = ({name: value.format(n) for name, value in headers.items()} for n in range(count))
        return Counter(send(path.format(n), **h)[1]["pod"] for n, h in enumerate(each))

    assert len(pods(20, x_user="anna")) == 1
    assert len(pods(60, x_user="user-{}")) == 3
    local.apply(objects(consistent(httpQueryParameterName="user", maglev={"tableSize": 101})))
    assert len(pods(20, "/?user=anna")) == 1
    assert len(pods(60, "/?user={}")) == 3
    local.apply(objects(consistent(httpCookie={"name": "shard", "ttl": "60s", "path": "/x"})))
    given = send()[2]["set-cookie"]
    assert given.startswith("shard=")
    assert "Max-Age=60; Path=/x" in given
    assert len(pods(20, cookie="shard=a")) == 1
    assert len(pods(60, cookie="shard={}")) == 3
    assert send(cookie="shard=a")[2]["set-cookie"] is None


def test_a_pool_that_is_full_refuses_requests_at_once(local: LocalEngine, send: Any) -> None:
    pool = {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}}
    up(local, service("quay"), deployment("quay"), rule(connectionPool=pool))

    def ask(_: int) -> str:
        with closing(connect(local)) as connection:
            connection.request("GET", "http://quay/", headers={"x-echo-delay": "1"})
            answer = connection.getresponse()
            answer.read()
            return f"{answer.status} overloaded={answer.headers['x-envoy-overloaded']}"

    with ThreadPoolExecutor(8) as pool_of_clients:
        answers = Counter(pool_of_clients.map(ask, range(8)))
    assert set(answers) == {"200 overloaded=None", "503 overloaded=true"}
    assert answers["200 overloaded=None"] <= 2  # while it connects the first one waits, too
    assert send()[0] == 200


def test_a_pod_that_fails_is_left_out_until_its_time_is_over(local: LocalEngine, send: Any) -> None:
    outlier = {"consecutive5xxErrors": 2, "interval": "60s", "maxEjectionPercent": 100}
    up(local, service("quay"), deployment("quay", 2), rule(outlierDetection=outlier))
    assert {send(x_echo_status="500")[0] for _ in range(8)} == {500}
    assert len({send()[1]["pod"] for _ in range(20)}) == 1
    # A change of the rule makes a new cluster, which remembers nothing.
    local.apply(objects(rule(outlierDetection={**outlier, "consecutive5xxErrors": 3})))
    assert len({send()[1]["pod"] for _ in range(40)}) == 2


def test_the_sidecar_speaks_tls_to_a_server_that_wants_it(
    local: LocalEngine, send: Any, tmp_path: Path
) -> None:
    server = tmp_path / "server.py"
    server.write_text(TLS_SERVER)
    backend = deployment("quay")
    template = backend["spec"]["template"]
    template["metadata"]["labels"][INJECT_LABEL] = "false"
    command = f"{sys.executable} {server} {{port}} {PEM}"
    template["metadata"]["annotations"] = {COMMAND: command}
    simple = {"mode": "SIMPLE", "caCertificates": str(PEM), "sni": "localhost"}
    up(local, service("quay"), backend, rule(tls=simple))
    assert send()[:2] == (200, {"called": "localhost", "knows": False})

    def becomes(**tls: Any) -> tuple[int, Json]:
        local.apply(objects(rule(tls=tls)))
        status, body, _ = send()
        return status, body

    own = {"clientCertificate": str(PEM), "privateKey": str(PEM)}
    mutual = {**simple, **own, "mode": "MUTUAL", "subjectAltNames": ["localhost"]}
    assert becomes(**mutual) == (200, {"called": "localhost", "knows": True})
    assert becomes(**{**simple, "subjectAltNames": ["elsewhere"]})[0] == 503
    unnamed = {"mode": "SIMPLE", "insecureSkipVerify": True}
    assert becomes(**unnamed) == (200, {"called": "quay", "knows": False})
    by_name = becomes(mode="SIMPLE", caCertificates=str(PEM))
    assert by_name == (200, {"called": "quay", "knows": False})
    assert becomes(mode="DISABLE")[0] == 503
    with pytest.raises(InputError, match="refused") as refusal:
        becomes(mode="SIMPLE", caCertificates=str(tmp_path / "gone.pem"))
    assert "gone.pem" in str(refusal.value.problems[0])
