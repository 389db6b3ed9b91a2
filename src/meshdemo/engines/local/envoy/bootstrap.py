"""What an Envoy is started with: everything else it reads from files, again and again. Pure."""

from __future__ import annotations

from typing import Any

EXTENSIONS = "type.googleapis.com/envoy.extensions"
FLUSH_MILLISECONDS = 200
"""How long a line of the access log may be kept back: Envoy's own 10 s are long for who looks."""
FLAGS = (
    # Without hot restart it makes no shared memory, which would outlive a kill -9.
    "--disable-hot-restart",
    # One worker is plenty for a walkthrough; each further one costs memory.
    "--concurrency", "1",
    "--log-level", "warning",
    # Nothing waits for connections to end: whoever stops the mesh wants it stopped.
    "--drain-time-s", "1",
    "--parent-shutdown-time-s", "2",
    "--file-flush-interval-msec", f"{FLUSH_MILLISECONDS}",
)  # fmt: skip
STATS = ({"prefix": "cluster_manager."}, {"prefix": "listener_manager."}, {"contains": ".rds."})
"""The statistics that are kept: those that say what became of the configuration. All others of all
clusters are most of what a sidecar's memory grows by, and of the time to ask for these; Istio's
own sidecars keep few as well (its ``proxyStatsMatcher``)."""
CONNECTION_LIMIT = 50_000
"""Envoy warns at each start if nothing is said; a workshop has far fewer."""


def bootstrap(name: str, *, folder: str, admin: str) -> dict[str, Any]:
    """Give the bootstrap of the Envoy ``name``, whose files are in ``folder``."""

    def watched(file: str) -> dict[str, Any]:
        return {
            "path_config_source": {"path": f"{folder}/{file}"},
            "resource_api_version": "V3",
        }

    return {
        "node": {"id": name, "cluster": "meshdemo"},
        "admin": {"address": {"pipe": {"path": admin, "mode": 0o600}}},
        "dynamic_resources": {
            "lds_config": watched("lds.json"),
            "cds_config": watched("cds.json"),
        },
        "bootstrap_extensions": [
            # One pod for each connection: see the translation of tcp ports.
            _extension(
                "envoy.bootstrap.internal_listener",
                "bootstrap.internal_listener.v3.InternalListener",
            ),
        ],
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": list(STATS)}}},
        "overload_manager": {"resource_monitors": [_connection_limit()]},
    }


def _connection_limit() -> dict[str, Any]:
    monitor = _extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
    )
    monitor["typed_config"]["max_active_downstream_connections"] = CONNECTION_LIMIT
    return monitor


def _extension(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{EXTENSIONS}.{kind}"}}
