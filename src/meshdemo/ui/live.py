"""The traffic of the page: a thread that sends, counts, judges and explains, and owns the engine.

Every answer is news at once, whatever it is. It is counted for the verdict once a look at the mesh
has shown that nothing that decides has changed since the look before: answers of two states of the
rules prove nothing about either. After a change the count begins anew.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed, MeshdemoError, TimedOut
from meshdemo.language import joined, said
from meshdemo.objects import model
from meshdemo.ui import changing
from meshdemo.ui.counts import Counts
from meshdemo.ui.presets import presets
from meshdemo.ui.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.protocol import Engine
    from meshdemo.ui.changing import Move
    from meshdemo.verdict.tally import Tally
    from meshdemo.verdict.traffic import Request
    from meshdemo.walkthrough.plan import Plan

    Publish = Callable[[str, object], None]
    Job = Callable[[Engine], Any]

CYCLE = 0.5
"""Seconds from one burst of requests to the next."""
LOOK_SHARE = 10
"""A look at the mesh may take this part of the time: so a cluster's API server is asked less."""
MOST_JOBS = 8
MOST_A_SECOND = 200
USUAL_RATE = 20
"""Requests a second."""
SEND_SECONDS = 15.0
"""How long a burst may take: longer than a request's own limit."""
LIVE_SECONDS = 10.0
"""How long rules that changed may take to be live."""
LIVE_SECONDS_AGAIN = 1.0
"""How long each look waits for those that took longer: meanwhile requests are sent."""
FLUSH_SECONDS = 0.1
"""Answers are handed on together that come within so many seconds."""
END_SECONDS = 0.3
"""How long the thread may take to end; it is left behind then, and ends with the process."""


class Busy(Exception):
    """Too many wait already."""


class Traffic(Struct, frozen=True):
    """What is to be sent."""

    on: bool
    rate: int
    """Requests a second, at most ``MOST_A_SECOND``."""
    request: Request
    fixed: bool = False
    """Whether pages can only look."""


class Live(threading.Thread):
    """Sends while somebody looks, and publishes what comes."""

    def __init__(
        self,
        engine: Engine,
        scene: Scene,
        traffic: Traffic,
        publish: Publish,
        is_watched: Callable[[], bool],
        plan: Plan | None = None,
    ) -> None:
        """Begin with a scene. Pages may change the rules where there is a ``plan`` to apply by."""
        super().__init__(daemon=True, name="meshdemo ui")
        self.traffic = traffic
        self.failure: BaseException | None = None
        """The bug that ended the thread."""
        self.failed: Callable[[], None] = lambda: None
        self._engine, self._scene, self._publish = engine, scene, publish
        self._is_watched, self._plan = is_watched, plan
        self._counts = Counts.of(scene)
        self._jobs: queue.Queue[tuple[Job, Future[Any]] | None] = queue.Queue(MOST_JOBS)
        self._stopped = threading.Event()
        self._due = 0.0
        self._sent = 0.0
        """When the last burst began."""
        self._next_look = 0.0
        self._asked: Request | None = None
        """The request that the last look was about; pages steer while one is under way, too."""
        self._drawn: dict[str, Any] = {}
        self._live_after: float | None = None
        """Seconds until what a page applied was live, until the next look has told of it."""
        self._problem = ""
        self._late = ""
        """Why the rules were not live at the last look; empty if they were."""

    def run(self) -> None:
        try:
            self._publish("traffic", self._traffic_document())
            while not self._stopped.is_set():
                began = time.monotonic()
                self._say(self._turn())
                self._work(began + CYCLE)
        except BaseException as error:  # noqa: BLE001 - raised again where the server was started
            self.failure = error
            self.failed()

    def stop(self) -> None:
        """Send no more, and end."""
        self._stopped.set()
        self._wake()
        self.join(END_SECONDS)

    def steer(self, traffic: Traffic) -> None:
        """Send something else, or nothing, from now on."""
        self.traffic = traffic
        self._next_look = 0.0
        self._publish("traffic", self._traffic_document())
        self._wake()

    def ask(self, job: Job) -> Future[Any]:
        """Have something done with the engine between two bursts. Raises Busy."""
        future: Future[Any] = Future()
        try:
            self._jobs.put_nowait((job, future))
        except queue.Full:
            raise Busy from None
        return future

    @property
    def tally(self) -> Tally:
        """What is counted under the rules as they are now; it fills meanwhile."""
        return self._counts.tally

    @property
    def may_change(self) -> bool:
        """Tell whether pages may change the rules."""
        return self._plan is not None

    def preview(self, move: Move) -> Future[Any]:
        """Say what a move of the levers would change. Raises Busy."""
        return self.ask(
            lambda engine: changing.preview(engine, self._now(), move, self._applying_by())
        )

    def change(self, move: Move) -> Future[Any]:
        """Apply a move of the levers, and say when it was live. Raises Busy."""
        return self.ask(lambda _: self._change(move))

    def _change(self, move: Move) -> dict[str, Any]:
        self._next_look = 0.0  # also where it fails half-way: somebody sees what became of it
        routed, notes = changing.apply(self._engine, self._now(), move, self._applying_by())
        self._live_after = routed.live_after
        return {"liveAfter": routed.live_after, "said": [*notes, *routed.overruled]}

    def _applying_by(self) -> Plan:
        assert self._plan is not None  # noqa: S101 - for the type checker: may_change says so
        return self._plan

    def _now(self) -> Scene:
        return Scene.of(self._engine, self.traffic.request)

    def _wake(self) -> None:
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            return  # then it does not sleep

    def _turn(self) -> str:
        """Look, send and count once; say what is in the way."""
        if not self._is_watched():
            return ""
        try:
            is_due = time.monotonic() >= self._next_look or self.traffic.request is not self._asked
            problem = self._look() if is_due else self._problem
            if self.traffic.on:
                self._send()
        except MeshdemoError as error:
            self._next_look = 0.0
            self._due = 0.0
            return joined(said(". "), list(filter(None, [error.message, error.hint])))
        return problem

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._publish("problem", {"text": problem})

    def _look(self) -> str:
        """Compare with the look before, and judge what came in between; say what is in the way."""
        began, self._asked = time.monotonic(), self.traffic.request
        scene = Scene.of(self._engine, self._asked)
        changed, late, live = scene.changes(self._scene), "", None
        if changed or self._late or scene.seen != self._scene.seen:
            waited = time.monotonic()
            late = self._wait(scene)
            live = None if late else time.monotonic() - waited
            # Pods as they are now: they may have been unready while a change was on its way.
            settled = Scene.of(self._engine, self._asked)
            if not settled.changes(scene):
                scene = settled
            elif not changed:  # the pods were those of rules that are seen only now
                return self._look()
        if changed:
            self._begin(scene, changed, live)
        elif self._late and not late:  # what came before they were live proves nothing about them
            self._counts = Counts.of(scene, self._counts.received)
        else:
            self._counts.confirm()
        if happened := scene.happened(self._scene):
            self._publish("happened", {"what": happened, "liveAfter": None})
        self._scene, self._late = scene, late
        self._draw(scene, anew=bool(changed) or not self._drawn)
        self._publish("counts", self._counts.document())
        now = time.monotonic()
        self._next_look = now + LOOK_SHARE * (now - began) if not changed else now
        return late

    def _draw(self, scene: Scene, *, anew: bool) -> None:
        """Publish what there is to see, where it is not as it was."""
        drawn: dict[str, Any] = {"scene": scene.document()}
        if self.may_change:
            drawn["levers"] = changing.levers_document(self._engine, scene)
        if not self.traffic.fixed:
            drawn["presets"] = presets(scene) if anew else self._drawn["presets"]
        for name, document in drawn.items():
            if document != self._drawn.get(name):
                self._publish(name, document)
        self._drawn = drawn

    def _wait(self, scene: Scene) -> str:
        """Wait until what has changed is live, the first time long; say why it is not."""
        seconds = LIVE_SECONDS_AGAIN if self._late else LIVE_SECONDS
        try:
            self._engine.wait_ready(model.traffic_rules(scene.context.objects), seconds)
        except (TimedOut, EnvironmentFailed) as error:
            return said("counted although the rules are not live: {why}", why=error.message)
        return ""

    def _begin(self, scene: Scene, changed: list[str], live: float | None) -> None:
        """Count anew, and tell what has changed and after how many seconds it was live."""
        applied, self._live_after = self._live_after, None
        self._counts = Counts.of(scene, self._counts.received)
        told = {"what": changed, "now": scene.in_words, "liveAfter": live, "byPage": False}
        if applied is not None:
            told |= {"liveAfter": applied, "byPage": True}
        self._publish("changed", told)

    def _send(self) -> None:
        now = time.monotonic()
        passed, self._sent = now - self._sent, now
        # What was missed is not made up for; what comes early, as when a page steers, is smaller.
        share = self.traffic.rate * (passed if passed < 2 * CYCLE else CYCLE)
        self._due = min(self._due + share, share + 1)
        count = int(self._due)
        self._due -= count
        if not count:
            return
        came: list[str] = []
        flushed = time.monotonic()
        request = self._scene.context.request
        try:
            for reply in self._engine.send(request, count, SEND_SECONDS, self._stopped):
                came.append(self._counts.take(reply))
                if (now := time.monotonic()) - flushed > FLUSH_SECONDS:
                    self._flush(came)
                    flushed, came = now, []
        finally:
            self._flush(came)

    def _flush(self, came: list[str]) -> None:
        if came:
            first = self._counts.received - len(came)
            self._publish("answers", {"first": first, "came": came, "by": self._scene.taking})

    def _work(self, until: float) -> None:
        """Do what pages asked for, until it is time for the next burst."""
        while not self._stopped.is_set():
            try:
                job = self._jobs.get(timeout=max(until - time.monotonic(), 0.0))
            except queue.Empty:
                return
            if job is None:
                return
            _do(*job, self._engine)

    def _traffic_document(self) -> dict[str, Any]:
        return {
            "on": self.traffic.on,
            "rate": self.traffic.rate,
            "readOnly": self.traffic.fixed,
        }


def _do(job: Job, future: Future[Any], engine: Engine) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job(engine))
    except MeshdemoError as error:
        future.set_exception(error)
