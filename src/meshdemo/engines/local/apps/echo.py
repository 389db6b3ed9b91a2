"""The image ``meshdemo/echo``: says which pod answered, and how the request reached it.

Request headers steer it:

    x-echo-delay: 0.3     wait so many seconds first
    x-echo-status: 503    answer with this status
    x-echo-reset: 1       close the connection without an answer
    x-echo-only: v1       only pods of this version obey the three above
    x-echo-key: K         count the request under K; /echo/count?key=K says how many there were

``/env/version`` answers with the bare version, as dustise/flaskapp does. A connection in which no
HTTP is spoken gets each of its lines back with the version before, as in ``v1 hello``; so it also
stands in for ``istio/tcp-echo-server``, whose arguments say its ports and what stands before.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from meshdemo.engines.local.apps import messages
from meshdemo.engines.local.apps.messages import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.engines.local.apps.messages import Request

POD_VARIABLE = "MESHDEMO_POD"
"""Names the variable with the pod's name."""
LABELS = "MESHDEMO_LABELS"
"""Names the variable with the pod's labels, as a JSON object."""

NAME = "MESHDEMO_ECHO_NAME"
"""Names the variable with what stands before lines that it answers, where that is no version."""

_STATUSES = range(200, 600)
"""An answer with 1xx is none yet."""


@dataclass(frozen=True, slots=True)
class Steering:
    """What a request asks this app to do."""

    delay: float = 0
    """Seconds."""
    status: int = HTTPStatus.OK
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """One pod's app."""

    pod: str
    service: str
    version: str
    name: str
    """What stands before the lines that it answers."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many requests came under each key."""

    async def answer(self, request: Request) -> Response | None:
        """Answer one request, or with a reset do not."""
        headers = join_repeated(request.headers)
        if request.path.endswith("/echo/count") and "key" in request.parameters:
            return self._json({"count": self.counts[request.parameters["key"]]})
        if "x-echo-key" in headers:
            self.counts[headers["x-echo-key"]] += 1
        try:
            is_meant = headers.get("x-echo-only", self.version) == self.version
            steering = read_steering(headers) if is_meant else Steering()
        except ValueError as error:
            return messages.text(f"{error}\n", HTTPStatus.BAD_REQUEST)
        if steering.delay:
            await asyncio.sleep(steering.delay)
        if steering.reset:
            return None
        if request.path == "/env/version":
            return Response(self.version.encode(), steering.status, headers=self._marks())
        return self._json(self._describe(request, headers), steering.status)

    def answer_line(self, line: str) -> str:
        """Answer where no HTTP is spoken, as Istio's tcp-echo-server does: with a name before."""
        return f"{self.name} {line}"

    def _describe(self, request: Request, headers: Mapping[str, str]) -> dict[str, object]:
        return {
            "service": self.service,
            "version": self.version,
            "pod": self.pod,
            "method": request.method,
            "path": request.target,
            "host": headers.get("host", ""),
            "headers": headers,
        }

    def _json(self, content: object, status: int = HTTPStatus.OK) -> Response:
        body = json.dumps(content).encode()
        return Response(body, status, "application/json", self._marks())

    def _marks(self) -> tuple[tuple[str, str], ...]:
        return (("x-echo-version", self.version),)


def join_repeated(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Give the headers by name, the values of repeated ones joined by a comma."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def read_steering(headers: Mapping[str, str]) -> Steering:
    """Read the request headers that steer. Raises ValueError, which names the header."""
    status = headers.get("x-echo-status", "200")
    if not status.isdecimal() or int(status) not in _STATUSES:
        raise ValueError(f"x-echo-status: {status} is not a status from 200 to 599")
    delay = headers.get("x-echo-delay", "0")
    try:
        seconds = float(delay)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"x-echo-delay: {delay} is not a number of seconds")
    return Steering(seconds, int(status), reset="x-echo-reset" in headers)


def main() -> None:
    """Serve as the pod that the environment names."""
    from meshdemo.engines.local.apps import server  # noqa: PLC0415 - who answers otherwise starts without

    labels = json.loads(os.environ.get(LABELS, "{}"))
    version = labels.get("version", "")
    name = os.environ.get(NAME, version)
    echo = Echo(os.environ.get(POD_VARIABLE, ""), labels.get("app", ""), version, name)
    server.serve(echo.answer, echo.answer_line)


if __name__ == "__main__":
    main()
