"""``meshdemo lint``: rules judged without sending anything."""

from __future__ import annotations

from typing import Annotated

import typer

from meshdemo.cli.invocation import read_settings
from meshdemo.report import Report


def lint(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            show_default=False,
            help="Files, folders with all below them, - for standard input. [default: .]",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let a warning be exit status 2.")
    ] = False,
) -> Report:
    """Say what Istio refuses, what it warns of, and what Envoy rejects; send and change nothing.

    Istio's admission, the analysis of istioctl analyze with its codes, and a real Envoy that is
    shown what each rule becomes: it rejects some that Istio takes, and a sidecar that gets one of
    them takes no other change either. Only what the files hold counts: a host without a Service
    among them is a warning.

    Exit code 0: nothing is refused or rejected; 2: something is, or with --strict warned of.

    Examples:
        meshdemo lint  # all that is below this folder
        meshdemo lint rules/ base/shop.yaml
        meshdemo lint base/shop.yaml --strict  # warnings count
        helm template . | meshdemo lint -
        meshdemo lint rules/ -o json  # severity, code, file, line and field of each finding
    """
    from meshdemo.report import lint_report
    from meshdemo.walkthrough import lint

    settings = read_settings(ctx)
    found = lint.lint(paths or ["."], settings.namespace or "default")
    return lint_report.linted(found, strict=strict)
