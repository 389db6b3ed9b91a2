"""What the cluster engine has a sidecar say of one request, by a real Envoy: that of a local mesh.

On a cluster its admin is at a port of loopback, here at a socket; all else is the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.contract.test_client_reach import INJECTED, app, apply, client
from tests.objects import destination_rule, route, service, to, virtual_service

from meshdemo.engines.cluster import observation, requests
from meshdemo.engines.results import Observed
from meshdemo.verdict.traffic import Reply, Request

if TYPE_CHECKING:
    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.engine import LocalEngine

MARK = "0123abcd"
RULES = virtual_service(
    {
        "match": [{"uri": {"prefix": "/retried"}}],
        "retries": {"attempts": 2, "retryOn": "5xx"},
        **route(to("v1")),
    },
    {"match": [{"uri": {"prefix": "/missing"}}], **route(to("v9"))},
    {"match": [{"uri": {"prefix": "/empty"}}], **route(to("empty"))},
    {
        "match": [{"uri": {"prefix": "/aborted"}}],
        "fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 418}},
        **route(to("v1")),
    },
    {"match": [{"uri": {"prefix": "/v1"}}], **route(to("v1"))},
    {
        "match": [{"uri": {"prefix": "/copied"}}],
        "mirror": {"host": "app", "subset": "v1"},
        **route(to("v1")),
    },
    namespace="default",
)
CLUSTER = "outbound|80|{}|app.default.svc.cluster.local"
pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="the script runs curl")


def test_a_real_envoy_is_understood_and_says_as_much_as_before(local: LocalEngine) -> None:
    apply(
        local,
        service({"name": "http", "port": 80, "targetPort": 8080}, namespace="default"),
        destination_rule("v1", "empty", namespace="default"),
        RULES,
        app("v1", **INJECTED),
        client(),
    )
    runtime = local._runtime()
    pod = next(pod for pod in runtime.planned().pods if pod.workload == "testclient")
    admin = runtime.layout.sidecar(pod).socket

    def levels() -> str:
        argv = ["curl", "-s", "--unix-socket", str(admin), "-X", "POST", "http://envoy/logging"]
        return subprocess.run(argv, capture_output=True, check=True, text=True).stdout

    before = levels()
    assert " router: warning\n" in before

    def told(path: str, status: str = "200") -> Account:
        named = f"of-{path.strip('/')}"
        headers = (("x-request-id", named), ("x-echo-status", status))
        within = observation.TALKATIVE.replace("--noproxy '*'", f"--unix-socket {admin}")
        within = within.replace("MARK", MARK + named)
        job = requests.Job(
            Request(f"http://app{path}", "GET", headers), 1, fresh_connections=False, within=within
        )
        environment = {**os.environ, "http_proxy": local.proxy_url()}
        stdin, ours = os.pipe()
        try:
            subprocess.run(
                ["sh", "-c", job.script(MARK)],
                stdin=stdin,
                capture_output=True,
                check=True,
                env=environment,
            )
        finally:
            os.close(stdin)
            os.close(ours)
        log = runtime.layout.log(pod, "istio-proxy")
        seen = Observed(Reply(), 0.0)
        read = log.read_text
        account = observation.told(seen, lambda: read().splitlines(), named, MARK + named).account
        assert account is not None
        return account

    found = {
        path: (
            each.status,
            each.flags,
            each.cluster,
            each.details,
            each.retries,
            len(each.copies or ()),
        )
        for path, each in {
            "/v1": told("/v1"),
            "/copied": told("/copied"),
            "/retried": told("/retried", "503"),
            "/missing": told("/missing"),
            "/empty": told("/empty"),
            "/aborted": told("/aborted"),
            "/nothing": told("/nothing"),
        }.items()
    }
    assert levels() == before
    v1, empty, v9 = (CLUSTER.format(name) for name in ("v1", "empty", "v9"))
    assert found == {
        "/v1": (200, (), v1, "via_upstream", 0, 0),
        "/copied": (200, (), v1, "via_upstream", 0, 1),
        "/retried": (503, (), v1, "via_upstream", 2, 0),
        "/missing": (503, ("NC",), v9, "cluster_not_found", 0, 0),
        "/empty": (503, ("UH",), empty, "no_healthy_upstream", 0, 0),
        "/aborted": (418, ("FI",), "", "fault_filter_abort", 0, 0),
        "/nothing": (404, ("NR",), "", "route_not_found", 0, 0),
    }
