"""``meshdemo install``: the mesh itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import (
    Explain,
    InstallFiles,
    InstallProfile,
    InstallSettings,
    Istioctl,
    IstioNamespace,
    Revision,
)
from meshdemo.errors import UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.options import Download


def install(
    ctx: typer.Context,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            show_default=False,
            help="Which istioctl to download; unless said, the one meshdemo was made with.",
        ),
    ] = None,
    profile: InstallProfile = "",
    settings: InstallSettings = None,
    overlays: InstallFiles = None,
    revision: Revision = "",
    istio_namespace: IstioNamespace = "",
    force: Annotated[
        bool,
        typer.Option("--force", help="Change an Istio that is already installed."),
    ] = False,
    istioctl: Istioctl = None,
    download: Annotated[
        bool,
        typer.Option("--download-istioctl", help="First fetch istioctl, its checksum checked."),
    ] = False,
    mirror: Annotated[
        str,
        typer.Option(
            "--istioctl-mirror",
            metavar="URL",
            help="Where to fetch it from: a mirror of Istio's releases. "
            "[default: $MESHDEMO_ISTIOCTL_MIRROR, else GitHub]",
        ),
    ] = "",
    sha256: Annotated[
        str,
        typer.Option(
            "--sha256",
            metavar="HEX",
            help="The archive's checksum; unless said, the official host is asked, not the mirror.",
        ),
    ] = "",
    explain: Explain = False,
) -> Report:
    """Install Istio, and verify it.

    An Istio that is there and healthy is used as it is. On the local engine: find Envoy, check
    that it runs, and say its version.

    Examples:
        meshdemo install  # on this machine: look whether Envoy runs
        meshdemo install --engine cluster --profile minimal
        meshdemo install --engine cluster --download-istioctl  # fetch istioctl first
    """
    from meshdemo.engines.options import MeshOptions
    from meshdemo.report import reports
    from meshdemo.walkthrough import deploy
    from meshdemo.walkthrough.plan import Plan

    mesh = MeshOptions(
        profile,
        tuple(settings or ()),
        tuple(overlays or ()),
        revision=revision,
        namespace=istio_namespace,
        force=force,
        download=_download(download, version, mirror, sha256, istioctl),
    )
    engine = engine_for(ctx, chosen(ctx, istioctl=istioctl))
    progress = ctx.obj.progress
    progress.explains = explain
    plan = Plan(settings=ctx.obj.settings, mesh=mesh)
    return reports.checked(progress.follow(deploy.install_alone(engine, plan)))


def _download(
    wanted: bool, version: str | None, mirror: str, sha256: str, istioctl: str | None
) -> Download | None:
    from meshdemo.engines.options import Download

    if wanted and istioctl:
        raise UsageError("--istioctl and --download-istioctl: one of them is enough")
    if not wanted and (version or mirror or sha256):
        hint = "Say --download-istioctl too."
        raise UsageError("VERSION, --istioctl-mirror and --sha256 are about a download", hint=hint)
    return Download(version or "", mirror, sha256) if wanted else None
