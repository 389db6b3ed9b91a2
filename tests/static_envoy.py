"""Asks Envoy whether it takes translated resources, without running it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from meshdemo.engines.local.envoy import binary
from meshdemo.engines.local.envoy.bootstrap import bootstrap
from meshdemo.engines.local.translate.resources import loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from meshdemo.engines.local.translate import Config

Json = dict[str, Any]

FIRST_PORT = 1024


def validate(
    configs: Iterable[tuple[str, Config]], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Give what Envoy says of many configurations at once, each with a name of its own."""
    listeners: list[Json] = []
    clusters: list[Json] = []
    for name, config in configs:
        listeners += _listeners(name, config)
        clusters += _clusters(name, config)
    for port, listener in enumerate(listeners, FIRST_PORT):
        if "address" in listener:
            listener["address"] = loopback(port)
    start = bootstrap("static", folder=str(folder), admin=str(folder / "admin"))
    del start["dynamic_resources"]
    start["static_resources"] = {"listeners": listeners, "clusters": clusters}
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(start), encoding="utf-8")
    argv = [binary.find().path, "--mode", "validate", "--log-level", "warning", "-c", str(file)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def _listeners(name: str, config: Config) -> Iterator[Json]:
    """Put the routes where Envoy need not fetch them, and give listeners names of their own."""
    for listener in json.loads(json.dumps(config.listeners)):
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        if manager.pop("rds", None):
            manager["route_config"] = _untyped(config.routes[0])
        yield {**_untyped(listener), "name": f"{name}/{listener['name']}"}


def _clusters(name: str, config: Config) -> Iterator[Json]:
    """Give the clusters names of their own."""
    for cluster in config.clusters:
        own = f"{name}/{cluster['name']}"
        assignment = {**cluster["load_assignment"], "cluster_name": own}
        yield {**_untyped(cluster), "name": own, "load_assignment": assignment}


def _untyped(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "@type"}
