"""The access log of sidecars: what became of each request, in Istio's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.contract.test_client_reach import INJECTED, app, apply, asked, client
from tests.objects import destination_rule, route, service, to, virtual_service

from meshdemo.system import waiting

if TYPE_CHECKING:
    from meshdemo.engines.local.engine import LocalEngine

LINE = re.compile(
    r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "(?P<request>GET \S+ HTTP/1.1)" (?P<status>\d+) '
    r'(?P<flags>\S+) (?P<details>\S+) \S+ "[^"]*" \d+ \d+ \d+ \S+ "[^"]*" "[^"]*" "[^"]*" '
    r'"(?P<host>[^"]*)" "[^"]*" (?P<cluster>\S+) \S+ \S+ \S+ \S+ \S+'
)
BY_PATH = [("/missing", "gone"), ("/empty", "empty"), ("/v1", "v1")]


def test_each_sidecar_tells_what_became_of_a_request(local: LocalEngine) -> None:
    rule = virtual_service(
        *({"match": [{"uri": {"prefix": path}}], **route(to(name))} for path, name in BY_PATH),
        namespace="default",
    )
    apply(
        local,
        service({"name": "http", "port": 80, "targetPort": 8080}, namespace="default"),
        destination_rule("v1", "empty", namespace="default"),
        rule,
        app("v1", **INJECTED),
        client(),
    )
    for path in ("/missing", "/empty", "/v1", "/nothing"):
        asked(local, f"http://app{path}")
    pods = {pod.workload: pod.name for pod in local.pods()}

    def lines(workload: str) -> list[dict[str, str]]:
        found = [
            LINE.fullmatch(line) for line in local.logs(pods[workload], "istio-proxy", access=True)
        ]
        assert None not in found, found
        return [match.groupdict() for match in found if match]

    waiting.until(lambda: len(lines("testclient")) == 4, "the access log", timeout=60)
    told = {
        line["request"].split()[1]: (line["status"], line["flags"], line["details"])
        for line in lines("testclient")
    }
    assert told == {
        "/missing": ("503", "NC", "cluster_not_found"),
        "/empty": ("503", "UH", "no_healthy_upstream"),
        "/v1": ("200", "-", "via_upstream"),
        "/nothing": ("404", "NR", "route_not_found"),
    }
    (inbound,) = lines("app-v1")
    assert (inbound["cluster"], inbound["host"]) == ("inbound|8080||", "app")
    for count in (5, 6):  # also where this process has waited for such lines before
        asked(local, "http://app/v1")
        assert len(lines("testclient")) == count
