"""What sends the requests of a private mesh: for each client an Envoy, which is its proxy."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.private import proxies
from meshdemo.engines.local.private.envoys import LoneEnvoy
from meshdemo.engines.local.private.proxy_client import ProxyClient

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from typing_extensions import Self

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.envoy.binary import Search
    from meshdemo.engines.local.private.event_loop import EventLoop
    from meshdemo.suite.clients import Clients
    from meshdemo.suite.model import Source

ACCOUNT_SECONDS = 1.0
"""How long a sidecar may take to write its line about a request."""
ACCOUNT_PAUSE = 0.05
"""Seconds between two looks for it."""


class Sender(Struct, frozen=True):
    """The Envoy of a client, and the connections to it."""

    envoy: LoneEnvoy
    proxies: dict[int, ProxyClient]
    """By the ports of a gateway; a pod has one."""

    def proxy(self, port: int) -> ProxyClient:
        """Give the connections for a port of a gateway, or of a pod's proxy."""
        if port not in self.proxies:
            self.proxies[port] = ProxyClient(self.envoy.place_of(port))
        return self.proxies[port]

    async def close(self) -> None:
        """Close the connections."""
        for each in self.proxies.values():
            await each.close()


class Senders:
    """A context manager: its Envoys live as long as it lasts."""

    def __init__(self, clients: Clients, search: Search, loop: EventLoop) -> None:
        self._clients, self._search, self._loop = clients, search, loop
        self._senders: dict[Source, Sender] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, sources: Iterable[Source]) -> None:
        """Start the Envoys of several clients at once."""
        with self._lock:
            begun = {each: self._begin(each) for each in sources}
            for source, envoy in begun.items():
                self._settle(source, envoy)

    def of(self, source: Source) -> Sender:
        """Give the one of a client, which is started where it is not there."""
        with self._lock:
            if source not in self._senders:
                self._settle(source, self._begin(source))
            return self._senders[source]

    def account(self, request_id: str) -> Account | None:
        """Give what the client's sidecar says of a request; waits a moment for its line."""
        deadline = time.monotonic() + ACCOUNT_SECONDS
        while time.monotonic() < deadline:
            for sender in list(self._senders.values()):
                for found in sender.envoy.accounts(request_id):
                    return found
            time.sleep(ACCOUNT_PAUSE)
        return None

    def _begin(self, source: Source) -> LoneEnvoy:
        client = self._clients.client(source)
        rules = self._clients.rules_for(client.gateway)

        def configure(folder: str) -> dict[str, Any]:
            return proxies.configuration(rules, self._clients.pods, client, folder)

        envoy = LoneEnvoy(self._search.result().path, configure)
        self._stack.callback(envoy.close)
        return envoy

    def _settle(self, source: Source, envoy: LoneEnvoy) -> None:
        envoy.wait()
        sender = self._senders[source] = Sender(envoy, {})
        self._stack.callback(lambda: self._loop.run(sender.close()))
