"""Whether a lesson is passed: its route tests, sent to the mesh that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import InputError
from meshdemo.suite import preparing, reading
from meshdemo.suite.live_mesh import LiveMesh
from meshdemo.suite.running import Runner
from meshdemo.tour import class_progress, staging
from meshdemo.verdict.judgement import Outcome
from meshdemo.walkthrough.events import Waiting

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine
    from meshdemo.errors import Problem
    from meshdemo.suite.live_mesh import Open
    from meshdemo.suite.model import TestFile
    from meshdemo.suite.results import CaseResult
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.progress import Desk, Progress
    from meshdemo.walkthrough.events import Story

NOT_SET_UP, NOTHING_RUNS, CANNOT_HOLD = "not set up", "nothing runs", "cannot hold"

ALARMS = 0.001
"""A right answer is called wrong in 1 of 100,000 checks: a class makes hundreds of them a day."""


class Checked(Struct, frozen=True):
    """What came of the check of a lesson."""

    outcome: Outcome
    cases: tuple[CaseResult, ...] = ()
    reason: str = ""
    """Why no request was sent; empty if some were."""
    unasked: tuple[str, ...] = ()
    """The tests that come after the first one that failed, by their names."""
    step: int = 1
    steps: int = 1
    following: str = ""
    """What is next, where a step holds and is not the last one."""
    problems: tuple[Problem, ...] = ()
    """What keeps the tests from holding whatever is sent."""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.MET


def check(
    engine: Engine, open_engine: Open, lesson: Lesson, desk: Desk, timeout: float
) -> Story[Checked]:
    """Apply the learner's file if it was edited, send the requests, and remember what came of it.

    Raises InputError where the learner's file is refused: with every problem.
    """
    if not desk.progress.is_staged(lesson, engine.where):
        found = Checked(Outcome.NOT_MET, reason=NOT_SET_UP)
    elif engine.sender.find(engine.pods()) is None:
        found = Checked(Outcome.NOT_MET, reason=NOTHING_RUNS)
    elif not (yield from staging.apply_edited(engine, lesson, desk, timeout)):
        found = Checked(Outcome.NOT_MET, reason=NOT_SET_UP)
    else:
        staging.forget(engine, lesson, desk, timeout)
        yield Waiting("for the answers")
        mesh = LiveMesh(open_engine, engine.where.namespace, timeout=timeout)
        found = _asked(lesson, desk.progress, mesh, timeout)
    if desk.progress.was_begun(lesson, engine.where):  # whoever only tries has nothing to report
        held = found.step if found.following else 0
        counts = desk.note(lesson, engine.where, passed=found.passed, steps=held)
        class_progress.tell(engine, desk)
        if found.passed and not counts:  # another command put another lesson in its place
            return Checked(Outcome.NOT_MET, reason=NOT_SET_UP)
    return found


def _asked(lesson: Lesson, progress: Progress, mesh: LiveMesh, timeout: float) -> Checked:
    """Check the step that the learner is at. Whoever is at the end already need not go back."""
    steps = reading.read([str(lesson.check)])
    at = min(progress.steps.get(lesson.name, 0), len(steps) - 1)
    found = _step(steps[at], mesh, timeout)
    if steps[at] is steps[-1]:
        return found
    if found.passed:
        following = steps[at + 1].tests[0].name
        return replace(
            found, outcome=Outcome.NOT_MET, step=at + 1, steps=len(steps), following=following
        )
    end = _step(steps[-1], mesh, timeout)
    return end if end.passed else found


def _step(file: TestFile, mesh: LiveMesh, timeout: float) -> Checked:
    try:
        prepared = preparing.prepare_live(replace(file, namespace=mesh.namespace), mesh)
    except InputError as error:  # such as a version that no pod has: the mesh's fault
        return Checked(Outcome.NOT_MET, reason=CANNOT_HOLD, problems=error.problems)
    runner = Runner(prepared.file, prepared.mesh, prepared.cases, timeout, alarms=ALARMS)
    cases: list[CaseResult] = []
    for case in prepared.cases:
        cases.append(runner.one(case))
        if not cases[-1].ok:  # the first cause is what to mend first
            break
    unasked = tuple(case.test.name for case in prepared.cases[len(cases) :])
    return Checked(cases[-1].outcome, tuple(cases), unasked=unasked)
