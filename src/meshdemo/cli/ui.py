"""``meshdemo ui``: the live page."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.errors import InputError, UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.choice import Choice
    from meshdemo.report.progress import Progress
    from meshdemo.settings import Settings
    from meshdemo.walkthrough.plan import Plan

HIGHEST_PORT = 65535
LIVE_SECONDS = 30.0
"""How long a change that a page makes may take to be live."""


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
        typer.Option(
            "--read-only", help="Pages can only look: they steer, send and change nothing."
        ),
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
    lang: Annotated[
        str | None,
        typer.Option(
            "--lang",
            metavar="en|zh",
            help="The language that pages begin with. [default: MESHDEMO_LANG, else by your "
            "locale]",
        ),
    ] = None,
) -> Report:
    """Show the traffic on a live page: a dot for each answer that really came.

    From left to right: the test client, the rules in their order, the versions, their pods. Beside
    each version stand the share that the rules promise, the share that was counted with the
    interval of the real shares that fit, and the verdict. A change of the rules, by whomever,
    starts the count anew. Requests are sent while a page is open. Weights, faults and the timeout
    can be changed by hand: the page shows the difference before it applies anything.

    The page is served on loopback, to whoever has the address with its token, until Ctrl-C.

    Examples:
        meshdemo ui
        meshdemo ui --port 8080 --no-browser  # then: ssh -L 8080:127.0.0.1:8080 this-machine
        meshdemo ui --read-only  # for a projector
        meshdemo ui --url http://shop/ -o json  # its first line is {"url": "..."}
    """
    from meshdemo.language import chosen as language_of

    language = language_of(lang)
    ctx.obj.progress.speak(language)
    if not 0 <= port <= HIGHEST_PORT:
        raise UsageError(f"--port: {port} is not a port")
    request = values.request(url, "GET", (), None)
    if request.is_tcp:
        raise UsageError("--url: the page is about HTTP requests, and tcp:// is none")
    settings = read_settings(ctx)
    choice = chosen(ctx, changes=False)
    engine = engine_for(ctx, choice)
    progress, as_json = ctx.obj.progress, settings.output == "json"
    from meshdemo.ui.scene import Scene
    from meshdemo.ui.serving import Serving

    try:
        scene = Scene.of(engine, request)
    except InputError as error:
        raise InputError(error.message, error.problems, hint="Say which one: --url URL") from error
    plan = None if read_only else _plan(settings, choice, progress)
    serving = Serving(engine, scene, port, read_only=read_only, plan=plan, language=language)
    progress.out.line(json.dumps({"url": serving.url}) if as_json else serving.url)
    if not (as_json or no_browser):
        _open_browser(serving.url)
    progress.say("Ctrl-C ends it")
    serving.run(None if settings.verbose else progress.warn)
    return Report()


def _plan(settings: Settings, choice: Choice, progress: Progress) -> Plan | None:
    """Say how pages change the rules; not at all on a cluster that nobody has named."""
    from meshdemo.engines.choice import choose_engine
    from meshdemo.walkthrough.plan import Plan

    if choose_engine(settings, changes=True).engine != choice.engine:
        why = f"the cluster was found, and not named ({choice.why})"
        progress.warn(f"{why}: pages change no rules of it; with --engine cluster they can")
        return None
    return Plan(replace(choice.settings, timeout=min(choice.settings.timeout, LIVE_SECONDS)))


def _open_browser(address: str) -> None:
    """Open a browser where there is a screen: one in this terminal would only be in the way."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        import webbrowser

        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
