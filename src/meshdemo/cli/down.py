"""``meshdemo down``: remove what meshdemo made, and prove that it is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer
from msgspec.structs import replace

from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.cli.options import Istioctl
from meshdemo.errors import EnvironmentFailed, TimedOut, UsageError
from meshdemo.report import Report


def down(
    ctx: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the Istio that meshdemo installed.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="With --all: also while others use this Istio. Its CRDs go, and with them "
            "everybody's rules.",
        ),
    ] = False,
    istioctl: Istioctl = None,
) -> Report:
    """Remove what meshdemo made, and prove that nothing is left.

    Only what meshdemo made. On the local engine that is all that the state directory holds, with
    -n what is in that namespace; on a cluster it is one namespace. Safe to repeat, and after a
    crash of anything.

    Examples:
        meshdemo down  # what this state directory holds
        meshdemo down -n demo  # that namespace alone
        meshdemo down --all  # on a cluster also the Istio that meshdemo installed
    """
    from meshdemo.report import reports
    from meshdemo.tour.progress import Desk

    if force and not everything:
        raise UsageError("--force is about Istio itself", hint="Say down --all --force")
    engine = engine_for(ctx, replace(chosen(ctx, istioctl=istioctl), may_begin=False))
    gone = tuple(engine.down(everything=everything, force=force))
    # A progress that is damaged knows of no mesh; who changes it for so long puts a lesson there.
    with suppress(EnvironmentFailed, TimedOut):
        desk = Desk(read_settings(ctx).state_dir)
        desk.forget_mesh(engine.where)
        if desk.folder.exists():
            ctx.obj.progress.say(f"what you wrote and passed in the tour stays: {desk.folder}")
    named = ctx.obj.settings.namespace
    about = f" in namespace {named}" if named else ""
    return reports.checked(gone, f"nothing of ours is left{about}")
