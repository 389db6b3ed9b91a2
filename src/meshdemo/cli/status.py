"""``meshdemo status``: the mesh as it is now."""

from __future__ import annotations

import typer

from meshdemo.cli.invocation import engine_for
from meshdemo.report import Report


def status(ctx: typer.Context) -> Report:
    """Show the namespace's pods, what is wrong with them, its services and the rules in words.

    Exit code 0: all is ready; 3: not so. Pods that others made beside meshdemo's are shown, and do
    not decide. -o wide adds init containers, containers and images.

    Examples:
        meshdemo status
        meshdemo status -o wide  # with containers and images
    """
    from meshdemo.report.status import status as report
    from meshdemo.system.plural import counted
    from meshdemo.walkthrough import pod_selection, route

    engine = engine_for(ctx, changes=False)
    namespace = engine.where.namespace
    pods = engine.pods()
    elsewhere = sorted({pod.namespace for pod in pods} - {namespace})
    if elsewhere:
        count = sum(pod.namespace != namespace for pod in pods)
        ctx.obj.progress.say(f"{counted(count, 'pod')} more: -n {' or -n '.join(elsewhere)}")
    objects, here = engine.objects(), [pod for pod in pods if pod.namespace == namespace]
    around = engine.mesh_status()
    services = [o for o in objects if o.kind == "Service" and o.namespace == namespace]
    return report(
        here,
        [(service, pod_selection.selected(service, here)) for service in services],
        route.effects(engine, objects, here, around),
        around,
        wide=ctx.obj.settings.output == "wide",
        others=pod_selection.of_others(here, objects),
    )
