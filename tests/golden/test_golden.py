"""What the translation makes of the cases, each of which shows one rule of semantics.

``MESHDEMO_UPDATE_GOLDEN=1 pytest tests/golden`` writes the golden files anew: read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import asdict
from tests import static_envoy

from meshdemo.engines.local import plan, translate
from meshdemo.engines.local.model import Mesh
from meshdemo.engines.local.translate import clusters, retries
from meshdemo.objects import reading

if TYPE_CHECKING:
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.translate import Config

Json = dict[str, Any]

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
UPDATE = bool(os.environ.get("MESHDEMO_UPDATE_GOLDEN"))
WHOLE = "walkthrough"
"""The one case of which everything is compared; the others leave out what is always the same."""

CLIENT = "testclient"
FOLDER = "FOLDER"
FIRST_PORT = 20001
PLACEHOLDERS = {
    "{default retries}": retries.DEFAULT,
    "{no limits}": clusters.PLAIN["circuit_breakers"],
}
SAME_IN_ALL = ("@type", "connect_timeout", "common_lb_config")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.stem))
def test_translation_is_the_golden_one(case: Path) -> None:
    shown = _whole if case.stem == WHOLE else _summary
    found = shown(_translated(case))
    file = case.with_suffix(".golden.json")
    if UPDATE:
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


def test_every_golden_file_has_its_case() -> None:
    stems = {file.name.removesuffix(".golden.json") for file in CASES[0].parent.glob("*.json")}
    assert stems == {case.stem for case in CASES}


def test_envoy_accepts_all_of_them(tmp_path: Path) -> None:
    said = static_envoy.validate(((case.stem, _translated(case)) for case in CASES), tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "deprecated" not in said.stderr.lower(), said.stderr


def _translated(case: Path) -> Config:
    """Configure the Envoy of a case's test client. Objects are as old as their place says."""
    objects = [
        item.with_data({**item.data, "metadata": {"creationTimestamp": age, **item.metadata}})
        for number, item in enumerate(reading.read([str(case)]))
        for age in [f"2026-01-01T00:00:{number:02}Z"]
    ]
    pods = plan.place(plan.blueprints(objects), (), _take)
    mesh = Mesh(tuple(item for item in objects if item.kind != "Deployment"), pods)
    client = _client(pods)
    if client.injected:
        return translate.sidecar(mesh, client, FOLDER)
    return translate.kube_proxy(mesh, FIRST_PORT - 1, FOLDER, client.namespace)


def _take(count: int) -> range:
    return range(FIRST_PORT, FIRST_PORT + count)


def _client(pods: tuple[PlannedPod, ...]) -> PlannedPod:
    return next(pod for pod in pods if pod.workload == CLIENT)


def _whole(config: Config) -> Json:
    return {part: list(found) for part, found in asdict(config).items()}


def _summary(config: Config) -> Json:
    """Give what depends on the objects: hosts and routes, clusters, and where their pods are."""
    hosts = config.routes[0]["virtual_hosts"]
    return {
        "listeners": [listener["name"] for listener in config.listeners],
        "hosts": [_abbreviated(host) for host in hosts if not _refuses(host)],
        "clusters": [_abbreviated(_own_part(cluster)) for cluster in config.clusters],
        "endpoints": {
            cluster["name"]: _ports(cluster["load_assignment"])
            for cluster in config.clusters
            if _is_of_pods(cluster)
        },
    }


def _refuses(host: Json) -> bool:
    """Tell whether the engine refuses what it cannot lead anywhere: no rule writes a format."""
    return any("body_format" in route.get("direct_response", ()) for route in host["routes"])


def _is_of_pods(cluster: Json) -> bool:
    """Tell it from a way to such a cluster, and from that of a pod's own process."""
    return "common_lb_config" in cluster


def _own_part(cluster: Json) -> Json:
    shown_apart = ("type", "load_assignment") if _is_of_pods(cluster) else ()
    left_out = (*SAME_IN_ALL, *shown_apart)
    return {name: value for name, value in cluster.items() if name not in left_out}


def _abbreviated(data: Any) -> Any:
    for placeholder, known in PLACEHOLDERS.items():
        if data == known:
            return placeholder
    if isinstance(data, dict):
        return {name: _abbreviated(value) for name, value in data.items()}
    return [_abbreviated(item) for item in data] if isinstance(data, list) else data


def _ports(assignment: Json) -> list[Any]:
    return [
        _place(endpoint)
        for locality in assignment["endpoints"]
        for endpoint in locality["lb_endpoints"]
    ]


def _place(endpoint: Json) -> Any:
    """Give a pod's port, or else all that there is to say of an endpoint."""
    address = endpoint["endpoint"]["address"]
    found = address.get("socket_address", {})
    is_pods = found.get("address") == "127.0.0.1" and found["port_value"] >= FIRST_PORT
    return found["port_value"] if is_pods else {**endpoint, "endpoint": address}
