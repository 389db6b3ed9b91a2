"""``meshdemo up``: the whole walkthrough, or the user's own objects in its place."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import (
    INJECTION_HELP,
    Adopt,
    Explain,
    Files,
    ForceConflicts,
    Images,
    InjectionMode,
    Istioctl,
    IstioFiles,
    IstioNamespace,
    IstioProfile,
    IstioSettings,
    Registry,
    Requests,
    Revision,
    Skip,
    StandIn,
    Strict,
    Wait,
)
from meshdemo.cli.values import image_choice, positive, seconds, stand_ins
from meshdemo.errors import UsageError
from meshdemo.report import Report


def up(
    ctx: typer.Context,
    files: Files = None,
    injection: Annotated[
        InjectionMode,
        typer.Option(
            "--injection", metavar="kube-inject|auto|none", help=INJECTION_HELP, show_default=True
        ),
    ] = "kube-inject",
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Stop when the rules are live in the data plane.")
    ] = False,
    requests: Requests = None,
    wait: Wait = "10s",
    profile: IstioProfile = "",
    settings: IstioSettings = None,
    overlays: IstioFiles = None,
    revision: Revision = "",
    istio_namespace: IstioNamespace = "",
    istioctl: Istioctl = None,
    images: Images = None,
    registry: Registry = "",
    adopt: Adopt = False,
    stand_in: StandIn = None,
    skip: Skip = None,
    strict: Strict = False,
    force_conflicts: ForceConflicts = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print it all as a script of istioctl and kubectl; do nothing."
        ),
    ] = False,
    explain: Explain = False,
) -> Report:
    """Install, inject, deploy, route and verify: the whole walkthrough.

    Safe to repeat: what is as it should be is left alone, and what differs is set back, such as a
    split of meshdemo route, which is said. With -f your own objects take the place of the
    walkthrough's; they are checked whole before anything is touched.

    Examples:
        meshdemo up  # on this machine, without a cluster
        meshdemo up --engine cluster -n demo  # on the cluster of the current context
        meshdemo up -f shop.yaml  # your own app and rules
        meshdemo up --dry-run  # the same as a script to read
    """
    from meshdemo import language
    from meshdemo.engines.options import Injection, MeshOptions
    from meshdemo.engines.protocol import LOCAL
    from meshdemo.report import reports, verdict_report
    from meshdemo.walkthrough import script
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.skipping import Skipping
    from meshdemo.walkthrough.up import up as go

    choice = chosen(ctx, istioctl=istioctl, adopt=adopt, force_conflicts=force_conflicts)
    plan = Plan(
        settings=choice.settings,
        files=tuple(files or ()),
        completes=True,
        injection=Injection(injection),
        mesh=MeshOptions(
            profile,
            tuple(settings or ()),
            tuple(overlays or ()),
            revision=revision,
            namespace=istio_namespace,
        ),
        images=image_choice(images, registry),
        skip=Skipping(tuple(skip or ())),
        stand_ins=stand_ins(stand_in, files, choice),
        strict=strict,
        verify=not no_verify,
        requests=positive(requests, "--requests"),
        wait=seconds(wait, "--wait"),
    )
    progress = ctx.obj.progress
    if dry_run:
        if skip:
            message = "--dry-run prints a script of kubectl, which cannot leave out a kind"
            raise UsageError(message, hint="Take the objects out of your files.")
        objects = None
        if choice.engine == LOCAL:  # a cluster is not asked
            objects = progress.follow(script.judged(engine_for(ctx, choice), plan))
        written = replace(plan, settings=choice.with_current_context())
        text = script.script(written, objects)
        return reports.plain(text, script=text)
    progress.speak(language.chosen(None))
    engine = engine_for(ctx, choice)
    progress.explains = explain
    result = progress.follow(go(engine, plan))
    return verdict_report.up_done(result, progress.data)
