"""``meshdemo images``: what must be pulled, for a registry that is prepared beforehand."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import (
    Files,
    Images,
    Istioctl,
    IstioFiles,
    IstioProfile,
    IstioSettings,
    Registry,
)
from meshdemo.cli.values import image_choice
from meshdemo.report import Report


def images(
    ctx: typer.Context,
    files: Files = None,
    other: Images = None,
    registry: Registry = "",
    profile: IstioProfile = "",
    settings: IstioSettings = None,
    overlays: IstioFiles = None,
    istioctl: Istioctl = None,
) -> Report:
    """List every image that a run needs, Istio's own included; no cluster is asked for them.

    On the local engine nothing is pulled: the list is what the manifests name.

    Examples:
        meshdemo images --engine cluster
        meshdemo images -f shop.yaml
    """
    from meshdemo.engines.options import MeshOptions
    from meshdemo.report import reports
    from meshdemo.walkthrough.images import needed
    from meshdemo.walkthrough.plan import Plan

    engine = engine_for(ctx, chosen(ctx, changes=False, istioctl=istioctl), asks=False)
    plan = Plan(
        settings=ctx.obj.settings,
        files=tuple(files or ()),
        completes=True,
        mesh=MeshOptions(profile, tuple(settings or ()), tuple(overlays or ())),
        images=image_choice(other, registry),
    )
    found = needed(engine, plan)
    return reports.plain("\n".join(found), images=list(found))
