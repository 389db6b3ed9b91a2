"""Envoy never rejects what rules become: one that lives long is told one mesh after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.living_envoy import living
from tests.random_configurations import configurations

from meshdemo.engines.local.translate import Config

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = range(12)
"""``make chaos`` has thousands."""
NO_CLUSTER = {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "name": "broken",
    "connect_timeout": "-1s",
}


def test_what_is_admitted_envoy_takes(tmp_path: Path) -> None:
    with living(tmp_path) as envoy:
        told = 0
        for name, config in configurations(SEEDS, tmp_path):
            assert not (why := envoy.takes(config)), f"{name}: {why}"
            told += 1
        assert told > 3 * len(SEEDS)
        assert envoy.count("update_success") > told
        assert envoy.count("update_rejected", "update_failure") == envoy.lost
        # And it would have been seen.
        assert "Invalid duration" in envoy.takes(Config((), (NO_CLUSTER,), ()))
        assert not envoy.takes(config)
