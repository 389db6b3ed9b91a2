"""When pods are ready, and how soon it is clear that they never will be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo import waiting
from meshdemo.engines.local import ports, xds
from meshdemo.engines.local.layout import SIDECAR, process_name
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from meshdemo.engines.local.images import Program
    from meshdemo.engines.local.layout import Layout
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.processes.supervisor import State, Supervisor

PAUSE, LONGEST_PAUSE = 0.002, 0.02
STATES_PAUSE = 0.1
"""Seconds between questions to the supervisor, which are dearer than a look at a port."""
CRASHES = 2
"""So many ends in a row are no bad luck at the start: the pod is given up."""
LAST_LINES = 10


class PortTaken(Exception):
    """Somebody else has a port of ours; the engine takes another one."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken by another program")
        self.port = port


class Outdated(Exception):
    """What was waited for is not what shall be any more; the engine looks anew."""


@dataclass
class Readiness:
    """What some pods still lack."""

    layout: Layout
    supervisor: Supervisor
    proxies: dict[str, xds.Proxy] = field(default_factory=dict)
    """Envoys that do not have their configuration yet, by the names of their processes."""
    programs: dict[str, tuple[Program, Path]] = field(default_factory=dict)
    """Containers that are not known to be ready, with their logs."""
    is_current: Callable[[], bool] = lambda: True
    """Tells whether these pods are still those that shall be."""
    asked: float = 0.0

    def expect(self, pod: PlannedPod, programs: Iterable[Program]) -> None:
        """Wait for this pod too."""
        if pod.injected:
            self.proxies[process_name(pod, SIDECAR)] = self.layout.sidecar(pod)
        for program in programs:
            log = self.layout.log(pod, program.container)
            self.programs[process_name(pod, program.container)] = program, log

    def wait(self, what: str, timeout: float) -> None:
        """Wait until all is ready.

        Raises PortTaken, Outdated, EnvironmentFailed for what cannot become ready, and TimedOut.
        """
        waiting.until(
            self._is_ready, what, timeout=timeout, pause=PAUSE, longest_pause=LONGEST_PAUSE
        )

    def remarks(self) -> Iterator[str]:
        """Say what is not as it should be with pods that are ready all the same."""
        if any(program.annotated for program, _ in self.programs.values()):
            states = self.supervisor.states()
            for name, (program, log) in self.programs.items():
                for remark in remarks(program, states.get(name)):
                    yield f"pod {pod_of(log)}: {remark}"

    def _is_ready(self) -> bool:
        self._drop(self.proxies, self._is_proxy_ready)
        listening = all(
            ports.is_listening(port)
            for program, _ in self.programs.values()
            for port in program.listens
        )
        if self.proxies or not listening:
            if time.monotonic() - self.asked > STATES_PAUSE:
                self._look_for_failures()
            return False
        return self._look_for_failures()

    @staticmethod
    def _drop(waited: dict[str, xds.Proxy], is_ready: Callable[[xds.Proxy], bool]) -> None:
        for name in [name for name, proxy in waited.items() if is_ready(proxy)]:
            del waited[name]

    @staticmethod
    def _is_proxy_ready(proxy: xds.Proxy) -> bool:
        try:
            return xds.is_up_to_date(proxy)
        except xds.Rejected as error:
            if error.port:
                raise PortTaken(error.port) from error
            raise

    def _look_for_failures(self) -> bool:
        """Ask the supervisor; tell whether every process is up and the listeners are ours."""
        states = self.supervisor.states()
        self.asked = time.monotonic()
        if not self.is_current() or (self.programs and not states):
            raise Outdated  # also where supervisord is gone: it starts nothing any more
        for name, (program, log) in self.programs.items():
            if (state := states.get(name)) and (state.is_crashing or state.restarts):
                _refuse_foreign_listener(program, state)
            if state and state.is_crashing and state.restarts + 1 >= CRASHES:
                raise EnvironmentFailed(
                    f"the container {program.container} of pod {pod_of(log)} ends each time it is "
                    f"started; its last lines:\n{last_lines(log)}",
                    hint="Correct it and apply it again; `meshdemo logs` shows all it wrote.",
                )
        return all(is_up(states, name) for name in self.programs)


def is_up(states: Mapping[str, State], name: str) -> bool:
    """Tell whether a process is there."""
    state = states.get(name)
    return state is not None and state.is_up


def remarks(program: Program, state: State | None) -> Iterator[str]:
    """Say where a command of the user's listens and others can reach it."""
    if not (program.annotated and state and state.is_up):
        return
    from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

    for place in orphans.foreign_listeners(state.pid):
        yield f"{program.container} listens on {place}, not only on loopback"


def pod_of(log: Path) -> str:
    """Name the pod, with its namespace, whose container has this log."""
    return log.parent.name.replace(".", "/", 1)


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """Give the end of a log, indented."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (it wrote nothing)"


def _refuse_foreign_listener(program: Program, state: State) -> None:
    """Look closely at what was started more than once: a stranger may have its port."""
    from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

    for port in program.listens:
        if ports.is_free(port) or (state.is_up and orphans.listens(state.pid, port)):
            continue
        raise PortTaken(port)
