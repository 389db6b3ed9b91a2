"""One run of the program: how it opens its engine, and what its report is labelled with."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from meshdemo.cli import command_spelling, options, streams
from meshdemo.engines.choice import NO_CLUSTER_NAMED, choose_engine, kubeconfig_about, open_engine
from meshdemo.engines.protocol import CLUSTER
from meshdemo.engines.results import Where
from meshdemo.errors import MeshdemoError
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer

    from meshdemo.engines.choice import Choice
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.protocol import Engine, Notify
    from meshdemo.settings import Settings
    from meshdemo.suite.live_mesh import Open

    OpenEngine = Callable[[Choice, Notify], Engine]


def _standard_progress() -> Progress:
    streams.open_closed()
    return Progress.on(sys.stdout, sys.stderr)


@dataclass
class Invocation:
    """What main() and the command share; typer carries it as ``ctx.obj``."""

    open_engine: OpenEngine = open_engine
    """The seam where a test puts its own engine."""
    command: str = ""
    """The command's name, once it is read."""
    where: Where | None = None
    """Known once the engine is open."""
    settings: Settings | None = None
    """Known once the command line is read."""
    progress: Progress = field(default_factory=_standard_progress)


def read_settings(ctx: typer.Context) -> Settings:
    """Read the shared options and apply those that are about output."""
    run: Invocation = ctx.obj
    run.settings = settings = options.settings(ctx)
    run.progress.configure(
        quiet=settings.quiet, verbose=settings.verbose, json=settings.output == "json"
    )
    _spell(ctx, settings)
    return settings


def _spell(ctx: typer.Context, settings: Settings) -> None:
    """Have commands in texts spelled so that they are about the mesh of these settings."""
    root: Any = ctx.find_root().command  # our Group, which names its commands
    ctx.obj.progress.spell(command_spelling.commands(root.commands, settings))


def chosen(
    ctx: typer.Context,
    *,
    changes: bool = True,
    istioctl: str | None = None,
    adopt: bool = False,
    force_conflicts: bool = False,
    sender: str | None = None,
) -> Choice:
    """Choose the engine that the command is for, and settle the settings; open nothing.

    ``changes``: whether the command changes any object; then a cluster must have been named.
    ``sender``: the labels of the pod that sends requests.
    """
    run: Invocation = ctx.obj
    if sender is not None:
        from meshdemo.objects import selectors

        selectors.read(sender, "--from")
    settings = replace(
        read_settings(ctx),
        istioctl=istioctl,
        adopt=adopt,
        force_conflicts=force_conflicts,
        sender=sender or "",
    )
    choice = choose_engine(settings, changes=changes)
    _spell(ctx, replace(settings, engine=choice.settings.engine))
    run.settings = choice.settings
    return choice


def engine_for(
    ctx: typer.Context, choice: Choice | None = None, *, changes: bool = True, asks: bool = True
) -> Engine:
    """Open the engine that was, or now is, chosen for the command, and say which and why.

    ``asks``: whether the command asks a cluster anything; without, there need not be one.
    """
    run: Invocation = ctx.obj
    choice = choice or chosen(ctx, changes=changes)
    said = f"engine {choice.engine} ({_shortened(choice.why)})"
    if choice.engine == CLUSTER and not asks:
        settings = choice.settings
        run.where = Where(CLUSTER, settings.context or "", settings.place or "default")
        run.progress.say(said)
        return run.open_engine(choice, run.progress.notify)
    try:
        engine = run.open_engine(choice, run.progress.notify)
        run.where = where = engine.where
    except MeshdemoError:
        run.progress.say(said)
        raise
    named = choice.settings.namespace or choice.engine == CLUSTER or ctx.info_name != "down"
    space = f"namespace {where.namespace}" if named else "all namespaces"
    run.progress.say(f"{said}{_about(where, choice)}, {space}")
    unnamed = choice.why == NO_CLUSTER_NAMED or ctx.info_name == "up"
    if choice.engine != CLUSTER and not choice.settings.engine and unnamed:
        _offer_cluster(ctx)
    return engine


def cluster_for(ctx: typer.Context, choice: Choice, about: str) -> Kube:
    """Open the cluster for what is not about one namespace; say which, why, and ``about`` what."""
    from meshdemo.engines.cluster.api.kube import Kube

    run: Invocation = ctx.obj
    said = f"engine {choice.engine} ({_shortened(choice.why)})"
    try:
        kube = Kube.open(choice.settings)
    except MeshdemoError:
        run.progress.say(said)
        raise
    run.where = where = Where(CLUSTER, kube.context, "", kube.server)
    run.progress.say(f"{said}{_about(where, choice)}, {about}")
    return kube


def engines_of_senders(ctx: typer.Context, choice: Choice, own: Engine) -> Open:
    """Give what opens the engine whose requests a pod with some labels sends, in a namespace.

    Where no labels are said, and it is the namespace of the command's ``own`` engine, it is that.
    """

    def opened(labels: str, namespace: str) -> Engine:
        if not labels and namespace == own.where.namespace:
            return own
        run: Invocation = ctx.obj
        settings = replace(choice.settings, sender=labels, namespace=namespace)
        return run.open_engine(replace(choice, settings=settings), run.progress.notify)

    return opened


def _about(where: Where, choice: Choice) -> str:
    """Say which cluster it is, or in which folder the local mesh lives, if the reason does not."""
    if choice.engine == CLUSTER:
        return f", context {where.context}" + (f" ({where.server})" if where.server else "")
    folder = str(choice.settings.state_dir)
    return f", in {_shortened(folder)}" if where.context and folder not in choice.why else ""


def _shortened(text: str) -> str:
    """Write the user's home folder as a shell does."""
    home = os.environ.get("HOME", "")
    return re.sub(rf"(?<!\S){re.escape(home)}(?=/)", "~", text) if home.strip("/~") else text


def _offer_cluster(ctx: typer.Context) -> None:
    """Say how the same is done on the cluster of the user's kubeconfig, which nobody named."""
    if context := kubeconfig_about():
        name = f"--engine cluster --context {shlex.quote(context)}"
        ctx.obj.progress.say(
            f"a kubeconfig is about; for its cluster: meshdemo {ctx.info_name} {name}"
        )
