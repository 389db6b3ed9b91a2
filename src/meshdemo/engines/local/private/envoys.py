"""One Envoy for one command: it, and all that it needs on disk, ends with the command."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines import access_log
from meshdemo.engines.local.envoy.binary import Admin
from meshdemo.engines.local.envoy.bootstrap import FLAGS
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.private.proxies import POD, listener_name
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.system import shell, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from meshdemo.engines.access_log import Account

PREFIX = "meshdemo-test-"
LONGEST_BASE = 70
"""Characters of the folder that holds ours: the path of a unix socket has room for 107 in all, on
macOS for 103."""
START_SECONDS = 30
"""How long an Envoy may take to be live; usually a tenth of a second."""
END_SECONDS = 0.3
"""How long it may take to be seen that an Envoy has ended."""
PAUSE, LONGEST_PAUSE = 0.003, 0.02
REASON = re.compile(r"\[critical\].*?\] (.+?)(?=\n\[\d{4}-|\Z)", re.DOTALL)


class Rejected(InputError):
    """Envoy does not take what rules become, though Istio takes the rules."""

    def __init__(self, why: str) -> None:
        hint = "meshdemo lint says which rule it is, with file and line."
        super().__init__(f"Envoy rejects what the rules become: {why}", hint=hint)


class LoneEnvoy:
    """An Envoy that answers until ``close``."""

    def __init__(self, envoy: str, configure: Callable[[str], dict[str, Any]]) -> None:
        """Start it; ``configure`` is given its folder. Raises Rejected from ``wait``."""
        base = tempfile.gettempdir()
        place = base if len(base) <= LONGEST_BASE else "/tmp"  # noqa: S108 - what we make there is 0700
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        self._admin = Admin(self.folder / "admin.sock")
        file = self.folder / "envoy.json"
        argv = (envoy, "-c", str(file), *FLAGS)
        # First the guard, who removes the folder whatever ends us.
        self._guard = shell.Guarded(argv, self.folder)
        self._listeners: dict[str, int] = {}
        """The ports of its listeners by their names, once it is live."""
        file.write_text(json.dumps(configure(str(self.folder))), encoding="utf-8")
        self._guard.start()

    def wait(self) -> None:
        """Return when it answers. Raises Rejected with Envoy's own words if it never will."""
        waiting.until(
            self._is_live,
            "Envoy to answer",
            timeout=START_SECONDS,
            pause=PAUSE,
            longest_pause=LONGEST_PAUSE,
        )

    def _is_live(self) -> bool:
        try:
            listed = self._admin.page("/listeners?format=json") if self._ready() else ""
        except Unreachable:
            listed = ""
        if listed:
            self._listeners = {
                each["name"]: address["port_value"]
                for each in json.loads(listed).get("listener_statuses", ())
                if (address := each.get("local_address", {}).get("socket_address"))
            }
            if self._listeners:
                return True
        if (said := self._guard.ended()) is not None:
            found = REASON.findall(said)
            if found:
                raise Rejected(found[-1].strip())
            raise self._over(said)
        return False

    @property
    def port(self) -> int:
        """Where a pod's proxy listens on loopback."""
        return self.place_of(POD)

    def place_of(self, port: int) -> int:
        """Give where it listens, on loopback, for what comes to a port of the gateway."""
        return self._listeners[listener_name(port)]

    def require_running(self) -> None:
        """Raise EnvironmentFailed where it has ended: what nobody answers is no answer of rules."""
        if (said := self._guard.ended(END_SECONDS)) is not None:
            raise self._over(said)

    @staticmethod
    def _over(said: str) -> EnvironmentFailed:
        return EnvironmentFailed(f"Envoy has ended: {said.strip() or 'it does not say why'}")

    def _ready(self) -> bool:
        return self._admin.page("/ready").startswith("LIVE")

    def accounts(self, request_id: str) -> Iterator[Account]:
        """Give what its access log says of a request so far."""
        for line in self._guard.lines():
            if request_id in line and (found := access_log.read(line)):
                yield found

    @property
    def admin(self) -> Admin:
        """Give its admin interface."""
        return self._admin

    def close(self) -> None:
        """End it, and remove its folder."""
        self._guard.close()
