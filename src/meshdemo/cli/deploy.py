"""``meshdemo deploy``: workloads and services."""

from __future__ import annotations

from typing import Annotated

import typer

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
    Registry,
    Revision,
    Skip,
    StandIn,
    Strict,
)
from meshdemo.cli.values import image_choice, stand_ins
from meshdemo.report import Report


def deploy(
    ctx: typer.Context,
    files: Files = None,
    injection: Annotated[
        InjectionMode | None,
        typer.Option(
            "--injection",
            metavar="kube-inject|auto|none",
            help=f"{INJECTION_HELP} Unless said, pods stay as they are: none at first.",
        ),
    ] = None,
    images: Images = None,
    registry: Registry = "",
    adopt: Adopt = False,
    force_conflicts: ForceConflicts = False,
    revision: Revision = "",
    istioctl: Istioctl = None,
    stand_in: StandIn = None,
    skip: Skip = None,
    strict: Strict = False,
    explain: Explain = False,
) -> Report:
    """Deploy two versions of the app and a test client, as they are.

    That is without sidecars: see meshdemo inject. With -f whatever is in your files. What was
    injected before stays injected; only --injection none takes a sidecar out.

    Examples:
        meshdemo deploy  # without sidecars, as a workshop begins
        meshdemo deploy -f shop.yaml --injection auto
    """
    from meshdemo.engines.options import Injection, MeshOptions
    from meshdemo.report import reports
    from meshdemo.walkthrough import deploy, steps
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.skipping import Skipping

    choice = chosen(ctx, istioctl=istioctl, adopt=adopt, force_conflicts=force_conflicts)
    progress = ctx.obj.progress
    progress.explains = explain
    plan = Plan(
        settings=ctx.obj.settings,
        files=tuple(files or ()),
        injection=Injection(injection) if injection else None,
        mesh=MeshOptions(revision=revision),
        images=image_choice(images, registry),
        skip=Skipping(tuple(skip or ())),
        stand_ins=stand_ins(stand_in, files, choice),
        strict=strict,
    )
    engine = engine_for(ctx, choice)
    step = steps.OWN_DEPLOY if plan.is_own else steps.DEPLOY
    result = progress.follow(deploy.deploy(engine, plan, step))
    following = deploy.next_command(result, engine.objects())
    return reports.deployed(result, following, progress.remarks)
