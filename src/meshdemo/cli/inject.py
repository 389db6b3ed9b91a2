"""``meshdemo inject``: sidecars for deployed workloads, or for manifests on standard output."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import INJECTION_HELP, Explain, Files, Istioctl, Revision
from meshdemo.report import Report


def inject(
    ctx: typer.Context,
    files: Files = None,
    injection: Annotated[
        Literal["kube-inject", "auto"],
        typer.Option("--injection", metavar="kube-inject|auto", help=INJECTION_HELP),
    ] = "kube-inject",
    revision: Revision = "",
    istioctl: Istioctl = None,
    explain: Explain = False,
) -> Report:
    """Give deployed workloads their sidecars.

    It waits until they are ready, and says what was added. With -f FILE or -f - nothing is
    applied: the injected YAML goes to standard output, for meshdemo deploy -f - or
    kubectl apply -f -; what is not a workload, also of a kind unknown here, passes as it is.

    Examples:
        meshdemo inject  # what meshdemo deploy has deployed
        meshdemo inject -f shop.yaml | kubectl apply -f -
    """
    from meshdemo.engines.options import Injection, MeshOptions
    from meshdemo.report import reports
    from meshdemo.walkthrough import deploy, steps
    from meshdemo.walkthrough.plan import Plan

    engine = engine_for(ctx, chosen(ctx, changes=not files, istioctl=istioctl))
    progress = ctx.obj.progress
    progress.explains = explain
    plan = Plan(
        settings=ctx.obj.settings,
        files=tuple(files or ()),
        injection=Injection(injection),
        mesh=MeshOptions(revision=revision),
    )
    if plan.is_own:
        written = progress.follow(deploy.injected_manifests(engine, plan))
        return reports.manifests_written(written)
    return reports.injected(
        progress.follow(deploy.inject(engine, plan, steps.INJECT_DEPLOYED)), progress.remarks
    )
