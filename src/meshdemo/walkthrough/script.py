"""The whole walkthrough as a shell script of istioctl and kubectl, for ``up --dry-run``."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import InputError
from meshdemo.objects import model, reading
from meshdemo.objects.labels import REVISION_LABEL
from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough import bundled, pod_selection, strict_check
from meshdemo.walkthrough.events import Accepted
from meshdemo.walkthrough.images import images_of
from meshdemo.walkthrough.steps import (
    INJECT,
    INSTALL,
    OWN_DEPLOY,
    OWN_VERIFY,
    WALKTHROUGH,
    cluster_flags,
    install_commands,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.events import Story
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.steps import Step


def judged(engine: Engine, plan: Plan) -> Story[tuple[Object, ...]]:
    """Read the objects, have the engine refuse what it would refuse, and change nothing."""
    engine.install(plan.mesh)  # it refuses settings at once, and does nothing before it is iterated
    objects = plan.read_alone(partial(engine.apply, dry_run=True))
    yield from plan.skip.notes()
    strict_check.require_no_warnings(engine, plan, objects)
    yield Accepted(replace(engine.apply(model.in_apply_order(objects), dry_run=True), changes=()))
    return objects


def script(plan: Plan, objects: Sequence[Object] | None = None) -> str:
    """Give the whole walkthrough as a shell script of istioctl and kubectl.

    ``objects`` are those of the plan, if they were read already.
    """
    lines = ["#!/bin/sh", "set -eu"]
    steps: tuple[Step, ...] = WALKTHROUGH
    if plan.is_own:
        plan = _own(plan, plan.read_alone() if objects is None else objects)
        steps = (INSTALL, INJECT, OWN_DEPLOY, OWN_VERIFY)
    else:
        lines += ["", "# Write the manifests into this folder.", "meshdemo manifests ."]
        lines += _image_commands(plan)
    for step in steps:
        commands = _unless_there(plan) if step is INSTALL else step.commands(plan)
        wanted = plan.verify or step.name not in ("look", "verify")
        if commands and wanted:
            lines += ["", f"# {step.name}: {step.does}", *commands]
    return "\n".join(lines)


def _own(plan: Plan, objects: Sequence[Object]) -> Plan:
    """Give the plan for the user's own objects: with a test client, and with what it asks for."""
    try:
        request = pod_selection.addressed(
            Request(url=""), plan.settings.place or "default", objects
        )
    except InputError:  # of several Services nobody has said which one is meant
        return replace(plan.joined(objects), verify=False)
    return replace(plan.joined(objects), request=request)


def _unless_there(plan: Plan) -> tuple[str, ...]:
    """Install Istio where there is none; one that is there is used as it is."""
    revision = plan.mesh.revision
    labels = "app=istiod" + (f",{REVISION_LABEL}={revision}" if revision else "")
    look = ["kubectl", *cluster_flags(plan), "get", "deployments", "-A", "-l", labels, "-o", "name"]
    return tuple(f"{shlex.join(look)} | grep . || {line}" for line in install_commands(plan))


def _image_commands(plan: Plan) -> list[str]:
    """Write other images into the manifests, where some were chosen."""
    objects = reading.read(bundled.paths(bundled.WORKLOAD_MANIFESTS))
    commands = []
    for old, new in zip(objects, plan.images.replaced(objects), strict=True):
        for before, after in zip(images_of([old]), images_of([new]), strict=True):
            edit = f"s|image: {before}$|image: {after}|"
            if before != after:
                commands.append(shlex.join(["sed", "-i.bak", edit, Path(old.file).name]))
    return list(dict.fromkeys(commands))
