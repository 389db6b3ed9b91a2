"""Putting a lesson in force: what it begins with, the learner's file, or its solution.

What an earlier lesson left goes first. Objects that are of no lesson are somebody's work: then
nothing is touched.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.options import Injection, MeshOptions
from meshdemo.engines.protocol import CLUSTER
from meshdemo.errors import EnvironmentFailed, InputError, in_order
from meshdemo.objects import model, reading
from meshdemo.objects.labels import INJECT_LABEL, RUN_LABEL
from meshdemo.tour import class_progress, lessons, placing
from meshdemo.tour.progress import Staged, mesh
from meshdemo.walkthrough import bundled, client, deploy
from meshdemo.walkthrough.events import Accepted, Started
from meshdemo.walkthrough.plan import with_sidecar_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.progress import Desk
    from meshdemo.walkthrough.events import Story


def begin(
    engine: Engine, lesson: Lesson, desk: Desk, timeout: float, *, chosen: bool = False
) -> Story[None]:
    """Put the starting state of a lesson in force, and nothing else of the tour's.

    One that the learner has ``chosen`` is to be passed again if it was before.
    """
    rules = lesson.rules.read_text(encoding="utf-8")
    with desk.changing(timeout) as progress:
        file = str(desk.lay_out(lesson))
        for event in _put(engine, lesson, desk, (file, rules), timeout):
            if isinstance(event, Accepted):  # a warning would tell what the learner is to find
                yield Accepted(replace(event.applied, warnings=()))
            else:
                yield event
        progress.lesson = lesson.name
        progress.again = chosen and lesson.name in progress.passed
        progress.steps.pop(lesson.name, None)
    class_progress.tell(engine, desk)


def solve(engine: Engine, lesson: Lesson, desk: Desk, timeout: float) -> Story[None]:
    """Put the solution of a lesson in force, whatever was before; the learner's file stays."""
    solution = lesson.solution.read_text(encoding="utf-8")
    with desk.changing(timeout) as progress:
        desk.lay_out(lesson)
        text = desk.text(lesson)
        yield from _put(engine, lesson, desk, (str(lesson.solution), solution), timeout)
        # So that the learner's file counts as applied until it is edited again.
        progress.staged = Staged(lesson.name, mesh(engine.where), solution, unasked=text)


def apply_edited(engine: Engine, lesson: Lesson, desk: Desk, timeout: float) -> Story[bool]:
    """Apply the learner's file if it is not as it was applied last; what left it goes.

    Tells whether the lesson is still in force.
    """
    with desk.changing(timeout) as progress:
        staged, text = progress.staged, desk.text(lesson)
        if staged is None or not progress.is_staged(lesson, engine.where):
            return False
        if staged.has_seen(text):
            return True
        wanted = _parsed(text, str(desk.file(lesson)), engine)
        left = _left(engine, desk, {item.key for item in wanted})
        begins = {item.key: item for item in _starting(engine, lesson)}
        wanted += [begins[item.key] for item in left if item.key in begins]
        gone = [item for item in left if item.key not in begins]
        if text not in staged.begun:
            staged.begun.append(text)
            desk.save()
        yield Started("tour", "Apply your file.")
        injected = _injected(engine, wanted) if wanted else ()
        if gone:
            engine.apply(injected, dry_run=True)  # what is refused changes nothing
            engine.delete(gone)
            engine.wait_ready(model.traffic_rules(engine.objects()), timeout)
        if wanted:
            yield from deploy.apply_in_order(engine, injected, timeout)
        progress.staged = Staged(lesson.name, mesh(engine.where), text)
    return True


def forget(engine: Engine, lesson: Lesson, desk: Desk, timeout: float) -> None:
    """Have sidecars forget which pods they ejected, and which requests are under way.

    Else those of the check before, and of the learner's own commands, would count in this one. An
    Envoy forgets them with the rule that limits them: so that goes, and comes again.
    """
    with desk.changing(timeout) as progress:
        staged = progress.staged
        limiting = [item for item in _there(engine) if _limits(item)]
        if not limiting or staged is None or not progress.is_staged(lesson, engine.where):
            return
        staged.begun.append(staged.applied)  # if this breaks off, the next check applies all
        desk.save()
        engine.delete(limiting)
        engine.wait_ready(model.traffic_rules(engine.objects()), timeout)
        deploy.made_true(engine, limiting, timeout)
        staged.begun.clear()
        staged.renewed += 1


def _limits(item: Object) -> bool:
    """Tell whether sidecars count for a rule: pods that fail, or requests that are under way."""
    fields = ("connectionPool", "outlierDetection")
    return item.kind == "DestinationRule" and any(field in str(item.spec) for field in fields)


def _left(engine: Engine, desk: Desk, keys: set[tuple[str, ...]]) -> list[Object]:
    """Give what the learner's file had in force, and has no more."""
    applied, *begun = _applied(engine, desk)
    before = {item.key: item for item in applied}
    # What was refused then is not there, or is somebody else's.
    failed = {item.key for found in begun for item in found}
    before |= {item.key: item for item in _there(engine) if item.key in failed} if failed else {}
    return [item for key, item in before.items() if key not in keys]


def _applied(engine: Engine, desk: Desk) -> list[list[Object]]:
    """Give the objects of each text that was applied in this mesh, as the progress has it."""
    try:
        return [_parsed(text, "", engine) for text in desk.progress.applied(engine.where)]
    except InputError as error:
        raise desk.damaged("what was applied is no manifest") from error


def _put(
    engine: Engine, lesson: Lesson, desk: Desk, file: tuple[str, str], timeout: float
) -> Story[None]:
    """Make true what a lesson begins with and a file says, and remove the rest of the tour."""
    path, text = file
    own = [*_starting(engine, lesson), *_parsed(text, path, engine)]
    wanted = [*own, *(client.joining(own, engine.where.namespace) if own else ())]
    keys = {item.key for item in wanted}
    leaving = [item for item in _removable(engine, desk) if item.key not in keys]
    leaving += [item for item in _elsewhere(engine, desk) if item.key not in keys]
    before = desk.progress.staged
    parts = [*before.between, before.lesson] if before else []
    begun = list(dict.fromkeys([*desk.progress.applied(engine.where), text]))
    desk.progress.staged = Staged("", mesh(engine.where), "", begun, [*parts, lesson.name])
    desk.save()
    yield Started("tour", f"Set up lesson {lesson.number}.")
    yield from deploy.install(engine, MeshOptions())
    if leaving:
        engine.delete(model.in_apply_order(leaving)[::-1])
    if wanted:
        injected = _injected(engine, wanted)
        yield from deploy.apply_in_order(engine, injected, timeout)
    desk.progress.staged = Staged(lesson.name, mesh(engine.where), text)


def _injected(engine: Engine, objects: Sequence[Object]) -> Sequence[Object]:
    """Give the objects with their sidecars.

    On a cluster they come from Istio's webhook: a student may ask for no more.
    """
    revision = engine.revision()
    if engine.where.engine != CLUSTER:
        return engine.inject(objects, Injection.KUBE_INJECT, revision)
    asking = [each if _says(each) else with_sidecar_label(each, revision) for each in objects]
    return engine.inject(asking, Injection.AUTO, revision)


def _says(item: Object) -> bool:
    """Tell whether a workload says itself whether it wants a sidecar."""
    metadata = item.pod_template.get("metadata") or {} if item.makes_pods else {}
    return INJECT_LABEL in (metadata.get("labels") or {})


def _starting(engine: Engine, lesson: Lesson) -> Sequence[Object]:
    """Read what runs when a lesson begins; it may be nothing."""
    if lesson.start is None:
        return bundled.read((bundled.APP_MANIFEST,), engine.where.namespace)
    return _parsed(lesson.start.read_text(encoding="utf-8"), str(lesson.start), engine)


def _parsed(text: str, file: str, engine: Engine) -> list[Object]:
    """Read objects of a text; none at all are fine. Raises InputError with every problem."""
    problems: list[Problem] = []
    found = reading.parse(text, file, problems)
    found = reading.settled(found, engine.where.namespace, problems)
    problems += reading.duplicates(found)
    if problems:
        raise InputError("the manifests cannot be used", in_order(problems))
    return found


def _removable(engine: Engine, desk: Desk) -> list[Object]:
    """Give what is in force of the tour. Raises EnvironmentFailed if there is anything else."""
    there = _there(engine)
    known = {item.key for item in _of_the_tour(engine, desk)}
    foreign = [item.title for item in there if item.key not in known]
    if foreign:
        message = f"the mesh holds what is not of the tour: {', '.join(foreign)}"
        hint = "Remove it: meshdemo down. Or give the tour a mesh of its own: --state-dir DIR"
        raise EnvironmentFailed(message, hint=hint)
    return there


def _there(engine: Engine) -> list[Object]:
    """Give what is ours: on a cluster it bears our label, and all that the local engine has is."""
    space, is_shared = engine.where.namespace, engine.where.engine == CLUSTER
    return [o for o in engine.objects() if not is_shared or o.labels.get(RUN_LABEL) == space]


def _elsewhere(engine: Engine, desk: Desk) -> list[Object]:
    """Give what the lesson before has in other namespaces of a cluster, which is not listed."""
    staged = desk.progress.staged
    if engine.where.engine != CLUSTER or staged is None or staged.mesh != mesh(engine.where):
        return []
    found = [item for applied in _applied(engine, desk) for item in applied]
    for each in lessons.every():
        if each.name in (staged.lesson, *staged.between):
            found += _starting(engine, placing.placed(each, staged.mesh, desk.folder))
    other = {o.key: o for o in found if o.namespace and o.namespace != engine.where.namespace}
    return list(other.values())


def _of_the_tour(engine: Engine, desk: Desk) -> Sequence[Object]:
    """Give every object that any lesson has, the walkthrough's, and those of the learner's file."""
    found = list(bundled.read(bundled.MANIFESTS, engine.where.namespace))
    for each in lessons.every():
        lesson = placing.placed(each, mesh(engine.where), desk.folder)
        found += _starting(engine, lesson)
        for file in (lesson.rules, lesson.solution):
            found += _parsed(file.read_text(encoding="utf-8"), str(file), engine)
        with suppress(InputError, EnvironmentFailed):  # what cannot be read is nowhere in force
            found += _parsed(desk.text(lesson), "", engine)
    return [*found, *(item for applied in _applied(engine, desk) for item in applied)]
