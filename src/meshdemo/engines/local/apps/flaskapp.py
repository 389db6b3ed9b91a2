"""The image ``dustise/flaskapp``: shows its environment, and fetches from other services.

GET /env/NAME             the environment variable NAME as text
GET /fetch?url=http://... what that answers, asked from this pod
"""

from __future__ import annotations

import asyncio
import os
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING

from meshdemo.engines.local.apps import server

if TYPE_CHECKING:
    from meshdemo.engines.local.apps.server import Request, Response


async def answer(request: Request) -> Response:
    """Answer one request."""
    if request.method not in {"GET", "HEAD"}:
        return server.text("only GET is allowed\n", HTTPStatus.METHOD_NOT_ALLOWED)
    if request.path.startswith("/env/"):
        return _show(urllib.parse.unquote(request.path.removeprefix("/env/")))
    if request.path == "/fetch":
        url = request.parameters.get("url", "")
        return await asyncio.to_thread(_fetch, url, os.environ.get("http_proxy", ""))
    return server.text("not found: try /env/NAME or /fetch?url=...\n", HTTPStatus.NOT_FOUND)


def _show(name: str) -> Response:
    # Where the app listens is the engine's business; a real container would not know.
    if name not in os.environ or name.startswith("MESHDEMO_"):
        return server.text(f"no environment variable {name}\n", HTTPStatus.NOT_FOUND)
    return server.text(os.environ[name])


def _fetch(url: str, proxy: str) -> Response:
    # Only this path needs a client, and an app shall start quickly.
    from meshdemo.engines.local import requests  # noqa: PLC0415
    from meshdemo.errors import BrokenOff, InputError  # noqa: PLC0415
    from meshdemo.verdict.traffic import TIMED_OUT, Reply  # noqa: PLC0415
    from meshdemo.verdict.traffic import Request as Outgoing  # noqa: PLC0415

    if not url:
        return server.text("say what to fetch: /fetch?url=http://...\n", HTTPStatus.BAD_REQUEST)
    if not proxy:
        return server.text("this pod has no http_proxy\n", HTTPStatus.BAD_GATEWAY)
    try:
        reply = next(requests.send(Outgoing(url), 1, proxy))
    except InputError as error:
        why = "; ".join(map(str, error.problems))
        return server.text(f"{error}: {why}\n", HTTPStatus.BAD_REQUEST)
    except BrokenOff as error:
        reply = Reply(error=str(error))
    if reply.error == TIMED_OUT:
        return server.text(f"{url}: {reply.error}\n", HTTPStatus.GATEWAY_TIMEOUT)
    if reply.error:
        return server.text(f"{url}: {reply.error}\n", HTTPStatus.BAD_GATEWAY)
    return server.text(reply.body, reply.status)


if __name__ == "__main__":
    server.serve(answer)
