"""Connections in Envoy's configuration: what rules say, real Envoy takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests import static_envoy
from tests.connection_worlds import connection_world

from meshdemo.engines.local import plan, translate
from meshdemo.engines.local.model import Mesh, PlannedPod

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.engines.local.translate import Config

WORLDS = 120


def configured(seed: int) -> Config:
    world = connection_world(seed)
    pods = plan.place(plan.blueprints(world.objects), (), lambda n: range(20_000, 20_000 + n))
    template: dict[str, Any] = {"metadata": {}, "spec": {"containers": []}}
    client = PlannedPod(
        "client", world.namespace, world.labels, template, "client", injected=True, outbound=1
    )
    return translate.sidecar(Mesh(world.objects, (*pods, client)), client, "FOLDER")


def test_whatever_tcp_and_tls_rules_say_envoy_takes(tmp_path: Path) -> None:
    found = [(str(seed), configured(seed)) for seed in range(WORLDS)]
    names = {
        tuple(chain["filter_chain_match"]["server_names"])
        for _, config in found
        for listener in config.listeners
        for chain in listener["filter_chains"]
        if "filter_chain_match" in chain
    }
    assert len(names) > 3, "no rule tells connections apart"
    said = static_envoy.validate(found, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
