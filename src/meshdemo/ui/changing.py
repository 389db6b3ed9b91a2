"""What a page changes of the rules: shown first, and applied as ``meshdemo route`` applies them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

from meshdemo.errors import InputError, MeshdemoError
from meshdemo.language import said
from meshdemo.walkthrough import pod_selection, steps
from meshdemo.walkthrough.events import Accepted, Note
from meshdemo.walkthrough.levers import Levers, Position
from meshdemo.walkthrough.route import apply_rules
from meshdemo.walkthrough.splits import Splitting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object
    from meshdemo.ui.scene import Scene
    from meshdemo.walkthrough.plan import Plan
    from meshdemo.walkthrough.route import Routed

CONTEXT_LINES = 3


class Move(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a page wants the levers, and which state of the rules it saw."""

    base: str
    to: Position


def levers_of(engine: Engine, scene: Scene) -> Levers:
    """Give the levers of the rule that takes the request. Raises MeshdemoError: there are none."""
    if not scene.context.sender.injected:
        raise InputError(said("the test client has no sidecar, so rules have no effect"))
    namespace, objects = engine.where.namespace, scene.context.objects
    service = pod_selection.service_of(scene.trace.called, namespace, objects)
    if service is None or service.namespace != namespace:
        raise InputError(
            said(
                "{host} is no Service of namespace {namespace}",
                host=scene.trace.called,
                namespace=namespace,
            )
        )
    splitting = Splitting.of(engine, service.name, objects)
    chosen = scene.trace.chosen
    if chosen is None and scene.winner:
        raise InputError(said("no rule takes the request"))
    origin = (chosen.origin.item, chosen.origin.number) if chosen else None
    return Levers.of(splitting, pod_selection.versions(scene.pods), origin)


def levers_document(engine: Engine, scene: Scene) -> dict[str, Any]:
    """Give the levers as a page draws them, or why there are none."""
    try:
        levers = levers_of(engine, scene)
    except MeshdemoError as error:
        return {"why": error.message}
    position = levers.position
    return {
        "base": levers.base,
        "rule": levers.rule.title if levers.rule else "",
        "number": levers.number,
        "ways": [way.name for way in levers.ways],
        "to": {
            "weights": list(position.weights),
            "abort": asdict(position.abort) if position.abort else None,
            "delay": asdict(position.delay) if position.delay else None,
            "timeout": position.timeout,
        },
        "kept": list(levers.kept),
    }


def preview(engine: Engine, scene: Scene, move: Move, plan: Plan) -> dict[str, Any]:
    """Say what a move would change, and try it where nothing happens. Raises MeshdemoError."""
    levers, wanted = _wanted(engine, scene, move)
    applied = engine.apply(wanted, dry_run=True) if wanted else None
    return {
        "diff": _diff(levers.before, wanted),
        "commands": list(steps.applied(plan, wanted)) if wanted else [],
        "warnings": [str(each) for each in applied.warnings] if applied else [],
    }


def apply(engine: Engine, scene: Scene, move: Move, plan: Plan) -> tuple[Routed, list[str]]:
    """Apply a move; give what came of it, and what is worth a word. Raises MeshdemoError."""
    _, wanted = _wanted(engine, scene, move)
    if not wanted:
        raise InputError(said("the rules are so already"))
    notes: list[str] = []
    story = apply_rules(engine, wanted, plan, steps.applied(plan, wanted))
    while True:
        try:
            event = next(story)
        except StopIteration as end:
            return end.value, notes
        if isinstance(event, Accepted):
            notes += [str(each) for each in event.applied.warnings]
        elif isinstance(event, Note):
            notes.append(event.text)


def _wanted(engine: Engine, scene: Scene, move: Move) -> tuple[Levers, tuple[Object, ...]]:
    levers = levers_of(engine, scene)
    if levers.base != move.base:
        raise InputError(
            said("the rules were changed since, or another one takes the request"),
            hint=said("Nothing was applied: look at what they say now, and move it again"),
        )
    return levers, levers.moved(move.to)


def _diff(before: Iterable[Object], after: Iterable[Object]) -> list[str]:
    """Compare objects as YAML, in lines as ``diff -u`` has them."""
    known = {item.key: item for item in before}
    lines: list[str] = []
    for item in after:
        old = known.get(item.key)
        was = steps.written([old]).splitlines() if old else []
        found = difflib.unified_diff(
            was, steps.written([item]).splitlines(), item.title, item.title, "", "", CONTEXT_LINES
        )
        lines += [line.rstrip("\n") for line in found]
    return lines
