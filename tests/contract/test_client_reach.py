"""What a client reaches: hosts of ServiceEntries, aliases, headless Services, and what it may not.

Real Envoys, and servers on loopback that stand for what is outside the mesh.
"""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.objects import deployment, made, parsed, route, service, to, virtual_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.engine import LocalEngine
    from meshdemo.objects.model import Object

SECONDS = 60
ENTRY = partial(made, "ServiceEntry", namespace="default")
HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}
INJECTED = {"sidecar.istio.io/inject": "true"}


class Named(http.server.BaseHTTPRequestHandler):
    """Answers each request with the name of its server and the host that was called."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes

    def do_GET(self) -> None:
        address, *_ = self.request.getsockname()
        body = f"{address} {self.headers['host']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class OverSix(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def served(kind: type[http.server.ThreadingHTTPServer], host: str) -> Iterator[int]:
    with kind((host, 0), Named) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def app(version: str, **labels: str) -> Object:
    return deployment(
        f"app-{version}",
        namespace="default",
        labels={"app": "app", "version": version, **labels},
        container={"ports": [{"containerPort": 8080}]},
        selector={"matchLabels": {"app": "app", "version": version}},
    )


def client() -> Object:
    return deployment("testclient", namespace="default", labels=INJECTED)


def apply(local: LocalEngine, *objects: Object) -> None:
    local.apply(objects)
    local.wait_ready(objects, SECONDS)


def asked(local: LocalEngine, url: str, times: int = 1, **headers: str) -> Counter[str]:
    """Give what came back, a connection each: the answer's status and body."""
    proxy = urlsplit(local.proxy_url())
    found: Counter[str] = Counter()
    for _ in range(times):
        made = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=30)
        with closing(made) as connection:
            connection.request("GET", url, headers=headers)
            answer = connection.getresponse()
            found[f"{answer.status} {answer.read().decode()}"] += 1
    return found


def test_a_service_entry_leads_to_loopback_and_never_out_of_the_mesh(local: LocalEngine) -> None:
    with ExitStack() as stack:
        four = stack.enter_context(served(http.server.ThreadingHTTPServer, "127.0.0.1"))
        six = stack.enter_context(served(OverSix, "::1"))
        apply(
            local,
            service({"name": "http", "port": 80, "targetPort": 8080}, namespace="default"),
            app("v1"),
            client(),
            ENTRY(
                "static",
                hosts=["static.example.com"],
                ports=[HTTP, {"number": 9000, "name": "tcp", "protocol": "TCP"}],
                resolution="STATIC",
                endpoints=[
                    {"address": "127.0.0.1", "ports": {"http": four, "tcp": four}, "weight": 3,
                     "labels": {"version": "v4"}},
                    {"address": "::1", "ports": {"http": six, "tcp": six},
                     "labels": {"version": "v6"}},
                ],
            ),
            ENTRY("dns", hosts=["api.example.com"], ports=[HTTP], resolution="DNS"),
            ENTRY("any", hosts=["*.example.org"], ports=[HTTP]),
            ENTRY(
                "names",
                hosts=["names.example.com"],
                ports=[{**HTTP, "targetPort": four}],
                resolution="DNS",
                endpoints=[{"address": "localhost"}],
            ),
            ENTRY(
                "inside",
                hosts=["inside.example.com"],
                ports=[HTTP],
                resolution="DNS",
                endpoints=[{"address": "app.default"}],
            ),
            ENTRY(
                "pods",
                hosts=["pods.example.com"],
                ports=[{**HTTP, "targetPort": 8080}],
                resolution="STATIC",
                workloadSelector={"labels": {"app": "app"}},
            ),
            ENTRY("mine", namespace="shop", hosts=["mine.example.com"], ports=[HTTP],
                  resolution="DNS", endpoints=[{"address": "localhost"}], exportTo=["."]),
        )  # fmt: skip

        shares = asked(local, "http://static.example.com/", 200)
        assert set(shares) == {"200 127.0.0.1 static.example.com", "200 ::1 static.example.com"}
        assert 100 < shares["200 127.0.0.1 static.example.com"] < 190
        assert set(asked(local, "http://static.example.com:9000/", 20)) == {
            "200 127.0.0.1 static.example.com:9000", "200 ::1 static.example.com:9000",
        }  # fmt: skip
        assert set(asked(local, "http://names.example.com/")) == {"200 127.0.0.1 names.example.com"}
        for host in ("pods", "inside"):
            assert set(asked(local, f"http://{host}.example.com/env/version")) == {"200 v1"}
        for host, led_to in [
            ("api.example.com", "api.example.com:80, which is outside the mesh"),
            ("deep.example.org", "outside the mesh"),
            ("mine.example.com", "no Service or ServiceEntry has this name"),
            ("unheard-of.example", "the local engine reaches nothing but loopback"),
        ]:
            (said,) = asked(local, f"http://{host}/")
            assert said.startswith("502 meshdemo: ")
            assert host in said
            assert led_to in said

        local.apply([
            made("DestinationRule", "static", "default", host="static.example.com",
                 subsets=[{"name": "v6", "labels": {"version": "v6"}}]),
            virtual_service(route(to("v6", host="static.example.com")), name="static",
                            namespace="default", hosts=["static.example.com"]),
            virtual_service({"fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}},
                             **route(to(host="api.example.com"))}, name="api",
                            namespace="default", hosts=["api.example.com"]),
        ])  # fmt: skip
        assert set(asked(local, "http://static.example.com/", 20)) == {"200 ::1 static.example.com"}
        assert set(asked(local, "http://api.example.com/")) == {"418 fault filter abort"}


OTHER_NAMES = """
    apiVersion: v1
    kind: Service
    metadata: {name: alias, namespace: default}
    spec: {type: ExternalName, externalName: app.default.svc.cluster.local}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: further, namespace: default}
    spec: {type: ExternalName, externalName: alias.default.svc.cluster.local}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: outside, namespace: default}
    spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: headless, namespace: default}
    spec:
      clusterIP: None
      selector: {app: app}
      ports: [{name: http, port: 8080}, {name: http-mapped, port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: db, namespace: default}
    spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 8080}]}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db, namespace: default}
    spec:
      serviceName: db
      replicas: 2
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec:
          containers: [{name: db, image: meshdemo/echo, ports: [{containerPort: 8080}]}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: sticky, namespace: default}
    spec:
      sessionAffinity: ClientIP
      selector: {app: app}
      ports: [{name: http, port: 80, targetPort: 8080}]
"""


def test_other_names_lead_where_they_do_in_istio_with_a_sidecar_and_without(
    local: LocalEngine,
) -> None:
    own = service({"name": "http", "port": 80, "targetPort": 8080}, namespace="default")
    plain = deployment("testclient", namespace="default")
    version = "/env/version"
    for sender in (plain, client()):
        apply(local, own, app("v1"), app("v2"), *parsed(OTHER_NAMES), sender)
        for name in ("app", "alias", "further.default"):
            assert set(asked(local, f"http://{name}{version}", 40)) == {"200 v1", "200 v2"}
        (said,) = asked(local, "http://outside/")
        assert said.startswith(
            "502 meshdemo: outside leads out of the mesh: Service default/outside"
        )
        assert "example.com" in said
        # DNS gives the pods' own addresses: any of them, and no targetPort.
        chosen = asked(local, f"http://headless:8080{version}", 30)
        assert set(chosen) == {"200 v1", "200 v2"}
        (refused,) = asked(local, f"http://headless{version}")
        assert refused.startswith("503")
        for pod in ("db-0", "db-1"):
            found = asked(local, f"http://{pod}.db:8080/", 10)
            assert all(f'"pod": "{pod}"' in said for said in found), found
        assert next(iter(asked(local, "http://db-2.db:8080/"))).startswith("502")
        # kube-proxy keeps a client at one pod, and a sidecar knows nothing of that.
        kept = len(asked(local, f"http://sticky{version}", 30))
        assert kept == (1 if sender is plain else 2)


def test_a_sidecar_decides_what_its_clients_know_and_reach(local: LocalEngine) -> None:
    port = {"name": "http", "port": 80, "targetPort": 8080}
    rule = virtual_service(route(to(host="dest")), name="app", namespace="default")
    aborted = {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}
    hidden = virtual_service(
        {"fault": aborted, **route(to(host="hidden"))},
        name="hidden", namespace="default", hosts=["hidden"],
    )  # fmt: skip
    services = [
        service(port, name=name, namespace="default", selector={"app": "app"})
        for name in ("app", "dest", "hidden")
    ]
    apply(local, *services, app("v1"), client(), rule, hidden)
    assert set(asked(local, "http://hidden/env/version")) == {"418 fault filter abort"}

    known = {"egress": [{"hosts": ["./app.default.svc.cluster.local"]}]}
    local.apply([made("Sidecar", "for-all", "default", **known)])
    assert set(asked(local, "http://app/env/version")) == {"200 v1"}
    assert set(asked(local, "http://hidden/env/version")) == {"200 v1"}, "past all rules"

    only = {**known, "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
    selector = {"workloadSelector": {"labels": {"app": "testclient"}}}
    local.apply([made("Sidecar", "strict", "default", **only, **selector)])
    assert set(asked(local, "http://app/env/version")) == {"200 v1"}
    for host in ("hidden", "dest", "example.com", "app:81"):
        assert set(asked(local, f"http://{host}/env/version")) == {"502 "}

    local.delete([item for item in local.objects() if item.kind == "Sidecar"])
    assert set(asked(local, "http://hidden/env/version")) == {"418 fault filter abort"}
