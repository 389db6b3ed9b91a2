"""One Envoy that lives long, and is told one configuration after the other as a sidecar is.

By files, in the engine's own order: what Envoy rejects then is what a mesh would see rejected.
"""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from meshdemo.engines.local.envoy import binary, config_files
from meshdemo.engines.local.envoy.bootstrap import FLAGS, bootstrap
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.translate import Config
from meshdemo.engines.local.translate.resources import loopback
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "FOLDER"
"""The folder of its files, as configurations name it: seen from where this Envoy runs."""
SECONDS = 60
"""How long it may take to start, on a busy machine."""
TRIES = 5
"""How often another port is tried, where a stranger took the one that was free just now."""


class LivingEnvoy:
    """An Envoy that runs. Each listener has a port that was free, in place of the planned one."""

    def __init__(self, proxy: config_files.Proxy) -> None:
        self.proxy = proxy
        self.ports: dict[tuple[str, int], int] = {}
        """By the name of a listener and its planned port: two never get the same one."""
        self.lost = 0
        """How often it rejected a configuration for a port that a stranger had just taken."""

    def takes(self, config: Config) -> str:
        """Tell it a configuration; give why it rejects it, and nothing if it does not.

        Raises what config_files.publish raises if it does not take it over, and AssertionError if
        it does not live any more.
        """
        for _ in range(TRIES):
            try:
                config_files.publish(self.proxy, self._placed(config))
            except config_files.Rejected as rejected:
                if not rejected.port:
                    return rejected.message
                self.lost += 1
                self.ports = {k: port for k, port in self.ports.items() if port != rejected.port}
            else:
                break
        assert config_files.is_up_to_date(self.proxy), self.proxy.log.read_text()[-3000:]
        return ""

    def count(self, *names: str) -> int:
        """Give the sum of some of its statistics."""
        found = self.proxy.admin.stats(f"({'|'.join(names)})$")
        return sum(map(int, found.values()))

    def _placed(self, config: Config) -> Config:
        return replace(config, listeners=tuple(map(self._listening, config.listeners)))

    def _listening(self, listener: dict[str, Any]) -> dict[str, Any]:
        if "address" not in listener:
            return listener  # an internal one
        key = listener["name"], listener["address"]["socket_address"]["port_value"]
        if key not in self.ports:
            self.ports[key] = _free_port(set(self.ports.values()))
        return {**listener, "address": loopback(self.ports[key])}


def _free_port(but: set[int]) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return _free_port(but) if port in but else port


def _answers(proxy: config_files.Proxy) -> bool:
    with suppress(Unreachable):
        return bool(proxy.admin.page("/ready"))
    return False


@contextmanager
def living(top: Path) -> Iterator[LivingEnvoy]:
    """Start one in a folder, with no configuration yet; it ends with the context."""
    folder = top / FOLDER
    folder.mkdir()
    proxy = config_files.Proxy("living", folder, top / "admin", top / "envoy.log")
    config_files.write_all(proxy, Config((), (), ()))
    start = folder / "bootstrap.json"
    start.write_text(json.dumps(bootstrap("living", folder=FOLDER, admin=str(proxy.socket))))
    argv = [binary.find().path, "-c", str(start), *FLAGS]
    with (
        proxy.log.open("wb") as log,
        subprocess.Popen(argv, cwd=top, env={}, stdout=log, stderr=log) as process,
    ):
        try:
            waiting.until(
                lambda: process.poll() is not None or _answers(proxy), "an Envoy", timeout=SECONDS
            )
            assert process.poll() is None, proxy.log.read_text()
            yield LivingEnvoy(proxy)
        finally:
            process.terminate()
