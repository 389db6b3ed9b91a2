"""``meshdemo ui``: the live page."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Annotated

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.errors import InputError, UsageError
from meshdemo.report import Report

HIGHEST_PORT = 65535


def ui(
    ctx: typer.Context,
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", help="Where to listen, on loopback. 0: a free one."),
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Open no browser, only print the address.")
    ] = False,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="Pages can only look: they steer and send nothing."),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            show_default=False,
            help="What to ask for. [default: http://app/env/version, or the only Service of your "
            "own]",
        ),
    ] = None,
) -> Report:
    """Show the traffic on a live page: a dot for each answer that really came.

    From left to right: the test client, the rules in their order, the versions, their pods. Beside
    each version stand the share that the rules promise, the share that was counted with the
    interval of the real shares that fit, and the verdict. A change of the rules, by whomever,
    starts the count anew. Requests are sent while a page is open, and the rules stay as they are.

    The page is served on loopback, to whoever has the address with its token, until Ctrl-C.

    Examples:
        meshdemo ui
        meshdemo ui --port 8080 --no-browser  # then: ssh -L 8080:127.0.0.1:8080 this-machine
        meshdemo ui --read-only  # for a projector
        meshdemo ui --url http://shop/ -o json  # its first line is {"url": "..."}
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise UsageError(f"--port: {port} is not a port")
    request = values.request(url, "GET", (), None)
    if request.is_tcp:
        raise UsageError("--url: the page is about HTTP requests, and tcp:// is none")
    as_json = read_settings(ctx).output == "json"
    engine = engine_for(ctx, chosen(ctx, changes=False))
    progress = ctx.obj.progress
    from meshdemo.ui.scene import Scene
    from meshdemo.ui.serving import Serving

    try:
        scene = Scene.of(engine, request)
    except InputError as error:
        raise InputError(error.message, error.problems, hint="Say which one: --url URL") from error
    serving = Serving(engine, scene, port, read_only=read_only)
    progress.out.line(json.dumps({"url": serving.url}) if as_json else serving.url)
    if not (as_json or no_browser):
        _open_browser(serving.url)
    progress.say("Ctrl-C ends it")
    serving.run()
    return Report()


def _open_browser(address: str) -> None:
    """Open a browser where there is a screen: one in this terminal would only be in the way."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
