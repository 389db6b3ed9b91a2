"""``meshdemo get`` and ``meshdemo describe``: the local engine's objects, in kubectl's words."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for
from meshdemo.cli.options import Selector
from meshdemo.errors import UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.choice import Choice
    from meshdemo.engines.protocol import Engine
    from meshdemo.walkthrough.resources import Resource, Wanted

Everywhere = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="The objects of all namespaces.")
]


def get(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND [NAME]",
            show_default=False,
            help="pods (po), services (svc), deployments (deploy), virtualservices (vs), "
            "destinationrules (dr), serviceentries (se), sidecars, configmaps (cm), namespaces "
            "(ns) and so on; all, istio-io. As with kubectl: pods,svc  vs NAME  vs/NAME dr/NAME.",
        ),
    ],
    everywhere: Everywhere = False,
    selector: Selector = None,
) -> Report:
    """List objects of the local engine as kubectl does; -o also takes yaml and name.

    What -o yaml and -o json print can be applied again: here, or on a cluster. On a cluster there
    is kubectl, and the line to type is printed.

    Examples:
        meshdemo get pods
        meshdemo get vs,dr -o yaml
        meshdemo get pods -A -l app=app -o wide
    """
    from meshdemo.report import resources as report

    choice = chosen(ctx, changes=False)
    _leave_to_kubectl(choice, "get", words, selector, everywhere=everywhere)
    engine = engine_for(ctx, choice)
    wanted = _wanted(engine, words, selector, everywhere=everywhere)
    found = _look(ctx, engine, wanted)
    output = choice.settings.output
    return report.got(found, output, one=wanted.is_one, everywhere=everywhere)


def describe(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND [NAME]",
            show_default=False,
            help="As with meshdemo get. A name may also be the beginning of one.",
        ),
    ],
    everywhere: Everywhere = False,
    selector: Selector = None,
) -> Report:
    """Show objects of the local engine at length, and what a rule means in words.

    On a cluster there is kubectl, and the line to type is printed.

    Examples:
        meshdemo describe vs app-default-v2
        meshdemo describe pod app-v1  # a name may be cut short
    """
    from meshdemo.report import descriptions

    choice = chosen(ctx, changes=False)
    _leave_to_kubectl(choice, "describe", words, selector, everywhere=everywhere)
    engine = engine_for(ctx, choice)
    wanted = _wanted(engine, words, selector, everywhere=everywhere)
    return descriptions.described(_look(ctx, engine, wanted, begun=True))


def _wanted(engine: Engine, words: list[str], selector: str | None, *, everywhere: bool) -> Wanted:
    from meshdemo.objects import kinds
    from meshdemo.walkthrough import resources

    return resources.Wanted.read(
        words,
        selector=selector,
        everywhere=everywhere,
        among=kinds.LOCAL,
        more=lambda: kinds.custom(engine.objects()),
    )


def _look(
    ctx: typer.Context, engine: Engine, wanted: Wanted, *, begun: bool = False
) -> tuple[Resource, ...]:
    from meshdemo.walkthrough import resources

    found = resources.look(engine, wanted, begun=begun)
    if not found:
        place = "" if wanted.everywhere else f" in {engine.where.namespace} namespace"
        ctx.obj.progress.say(f"No resources found{place}.")
    return found


def _leave_to_kubectl(
    choice: Choice, command: str, words: list[str], selector: str | None, *, everywhere: bool
) -> None:
    """Refuse on a cluster, with the line to type there."""
    from meshdemo.engines.protocol import CLUSTER
    from meshdemo.walkthrough import steps
    from meshdemo.walkthrough.plan import Plan

    if choice.engine != CLUSTER:
        return
    settings, output = choice.settings, choice.settings.output
    line = ["kubectl", *steps.cluster_flags(Plan(settings)), command, *words]
    line += ["-n", settings.place] if settings.place and not everywhere else []
    line += ["-A"] if everywhere else []
    line += ["-l", selector] if selector else []
    line += ["-o", output] if command == "get" and output != "table" else []
    raise UsageError(
        f"{command} is for the local engine: on a cluster there is kubectl",
        hint=f"Type: {shlex.join(line)}",
    )
