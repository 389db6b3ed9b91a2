"""``meshdemo verify``: prove what the traffic does."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.cli.options import Explain, From, Lang, Requests, Wait
from meshdemo.errors import UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.ui.scene import Scene
    from meshdemo.walkthrough.verify import Keep, Measured, Question

Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="SHARES",
        show_default=False,
        help="v2=100% or v1=50%,v2=50%. Without it: what the applied rules promise.",
    ),
]
MaxRequests = Annotated[
    int | None,
    typer.Option(
        "--max-requests",
        metavar="N",
        help="Send at most so many; then it is inconclusive. Without it as many as nearly "
        "every verdict takes.",
    ),
]
Margin = Annotated[
    str,
    typer.Option(
        "--margin", metavar="POINTS", help="How far off a share matters.", show_default=True
    ),
]
ErrorRate = Annotated[
    str,
    typer.Option(
        "--error-rate",
        metavar="PERCENT",
        help="How often a verdict may be wrong, either way.",
        show_default=True,
    ),
]
HiddenShare = Annotated[
    str,
    typer.Option(
        "--hidden-share",
        metavar="PERCENT",
        help="What must not go unseen where nothing is expected.",
        show_default=True,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="What to ask for, by http:// or tcp://. [default: http://app/env/version, or the "
        "only Service of your own]",
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="NAME:VALUE", help="A request header. May repeat."),
]
Method = Annotated[
    str, typer.Option("--method", metavar="METHOD", help="The HTTP method.", show_default=True)
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="PLACE",
        help="Where an answer names its version: header:NAME, json:PATH or body. [default: the "
        "body, or its JSON field version; by tcp:// the first word of the line]",
    ),
]
Junit = Annotated[
    str | None,
    typer.Option("--junit", metavar="FILE", help="Also write the verdict as JUnit's XML."),
]
Record = Annotated[
    str | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Also write each request with its time, status and version: a line of JSON each.",
    ),
]

Html = Annotated[
    str | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Also write the verdict as a page: one HTML file, in which the answers come again.",
    ),
]


def verify(
    ctx: typer.Context,
    expect: Expect = None,
    requests: Requests = None,
    max_requests: MaxRequests = None,
    margin: Margin = "5",
    error_rate: ErrorRate = "1%",
    hidden_share: HiddenShare = "1%",
    wait: Wait = "10s",
    url: Url = None,
    header: Headers = None,
    method: Method = "GET",
    by: By = None,
    junit: Junit = None,
    record: Record = None,
    html: Html = None,
    sender: From = None,
    explain: Explain = False,
    lang: Lang = None,
) -> Report:
    """Count answers until they decide. It starts nothing and changes nothing.

    Exit code 0: met; 1: not met; 4: inconclusive.

    If every real share is the expected one, "not met" comes at most 1 % of the time; if a real
    share is off by the margin or more (for 0 and 100 %: by the hidden share), "met" comes at most
    1 % of the time; in between either may come, and the interval that is printed says which real
    shares fit.

    An outcome is a version, a status (503=10%) or error (error=0%: all others). Errors shall not
    come unless they are named; a version that is called 503 is version:503.

    Examples:
        meshdemo verify  # what the rules promise
        meshdemo verify --expect v1=90%,v2=10% --margin 2
        meshdemo verify --url tcp://app:9000 --expect v1=80%,v2=20%  # counts connections
        meshdemo verify --url http://shop/ -H "x-user: anna" --expect v2=100%
        meshdemo verify --from app=shop --url http://cart/  # as a pod of the shop sees it
        meshdemo verify --expect v2=100% --junit verdict.xml -o json  # for CI
        meshdemo verify --record requests.jsonl  # each request, with its time
        meshdemo verify --html verdict.html  # a page to look at, and to send to somebody
    """
    from meshdemo import language
    from meshdemo.report import verdict_report
    from meshdemo.verdict import expectation
    from meshdemo.verdict.precision import Precision
    from meshdemo.verdict.version_source import VersionSource
    from meshdemo.walkthrough import verify

    reader = language.chosen(lang)
    ctx.obj.progress.speak(reader)
    if requests is not None and max_requests is not None:
        raise UsageError("--requests says exactly how many: leave out --max-requests")
    source = VersionSource.parse(by) if by else None
    question = verify.Question(
        expectation=expectation.parse(expect) if expect else None,
        request=values.request(url, method, header or (), source),
        source=source,
        precision=Precision(
            values.share(margin, "--margin", most=50),
            float(values.share(error_rate, "--error-rate", most=20)),
            float(values.share(hidden_share, "--hidden-share", most=50)),
        ),
        requests=values.positive(requests, "--requests"),
        max_requests=values.positive(max_requests, "--max-requests"),
        wait=values.seconds(wait, "--wait"),
        timeout=read_settings(ctx).timeout,
        names_rules=read_settings(ctx).output == "json",
    )
    _require_writable(junit, record, html)
    engine = engine_for(ctx, chosen(ctx, changes=False, sender=sender))
    progress = ctx.obj.progress
    if explain:
        progress.explain(_commands(ctx, engine, question))
    scene = _scene(engine, question) if html else None
    with _recording(record) as keep:
        measured = progress.follow(verify.measure(engine, replace(question, keep=keep)))
    if junit:
        from meshdemo.report.junit import write_junit

        write_junit(Path(junit), measured)
    if html and scene:
        _write_page(Path(html), measured, scene, reader)
    return verdict_report.verified(measured, **progress.remarks)


def _commands(ctx: typer.Context, engine: Engine, question: Question) -> Sequence[str]:
    from meshdemo.walkthrough import steps, verify
    from meshdemo.walkthrough.plan import Plan

    question = verify.addressed(engine, question)
    plan = Plan(ctx.obj.settings, request=question.request, requests=question.requests)
    return steps.verify_commands(steps.proving(plan, verify.expected(engine, question)))


def _require_writable(junit: str | None, record: str | None, html: str | None) -> None:
    from meshdemo.report.files import require_writable

    asked = (
        ("--junit", junit, "verdict.xml"),
        ("--record", record, "requests.jsonl"),
        ("--html", html, "verdict.html"),
    )
    named: dict[str, str] = {}
    for option, file, example in asked:
        if file is None:
            continue
        if file in named:
            raise UsageError(f"{named[file]} and {option} name one and the same file")
        named[file] = option
        require_writable(option, Path(file), example)


def _scene(engine: Engine, question: Question) -> Scene:
    from meshdemo.ui.scene import Scene

    return Scene.of(engine, question.request)


def _write_page(file: Path, measured: Measured, scene: Scene, language: str) -> None:
    from meshdemo.errors import EnvironmentFailed
    from meshdemo.ui import verified

    try:
        file.write_bytes(verified.page_of(measured, scene, language))
    except OSError as error:
        message = f"--html: {file} cannot be written: {error.strerror}"
        raise EnvironmentFailed(message) from error


def _recording(file: str | None) -> AbstractContextManager[Keep | None]:
    if not file:
        return nullcontext()
    from meshdemo.report.record import recording

    return recording(Path(file))
