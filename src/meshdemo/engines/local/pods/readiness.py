"""When pods are ready, and how soon it is clear that they never will be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.engines.local.envoy import config_files
from meshdemo.engines.local.pods import failure_causes, ports
from meshdemo.engines.local.pods.layout import process_name
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.pods.layout import Layout
    from meshdemo.engines.local.processes.supervisor import State, Supervisor
    from meshdemo.engines.local.programs import Program

PAUSE, LONGEST_PAUSE = 0.002, 0.02
STATES_PAUSE = 0.1
"""Seconds between questions to the supervisor, which are dearer than a look at a port."""


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
    proxies: dict[str, config_files.Proxy] = field(default_factory=dict)
    """Envoys that shall have their configuration, by the names of their processes."""
    programs: dict[str, tuple[Program, Path]] = field(default_factory=dict)
    """Containers that shall be ready, with their logs."""
    is_current: Callable[[], bool] = lambda: True
    """Tells whether these pods are still those that shall be."""
    asked: float = 0.0
    _up_to_date: set[str] = field(default_factory=set)
    """Those of the Envoys that have their configuration, as far as is known."""

    def expect(self, pod: PlannedPod, programs: Iterable[Program]) -> None:
        """Wait for this pod too."""
        if pod.injected:
            self.proxies[process_name(pod, ISTIO_PROXY)] = self.layout.sidecar(pod)
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
        for name in self.proxies.keys() - self._up_to_date:
            if self._has_configuration(self.proxies[name]):
                self._up_to_date.add(name)
        listening = all(
            ports.is_listening(port)
            for program, _ in self.programs.values()
            for port in program.listens
        )
        if len(self._up_to_date) < len(self.proxies) or not listening:
            if time.monotonic() - self.asked > STATES_PAUSE:
                self._look_for_failures()
            return False
        return self._look_for_failures()

    @staticmethod
    def _has_configuration(proxy: config_files.Proxy) -> bool:
        try:
            return config_files.is_up_to_date(proxy)
        except config_files.Rejected as error:
            if error.port:
                raise PortTaken(error.port) from error
            raise

    def _look_for_failures(self) -> bool:
        """Ask the supervisor; tell whether every process is up and the listeners are ours."""
        states = self.supervisor.states()
        self.asked = time.monotonic()
        if not self.is_current() or (self.programs and not states):
            raise Outdated  # also where supervisord is gone: it starts nothing any more
        for name, proxy in self.proxies.items():
            _refuse_crashing_envoy(proxy, states.get(name))
        for name, (program, log) in self.programs.items():
            if (state := states.get(name)) and (state.is_crashing or state.restarts):
                _refuse_foreign_listener(program, state)
            _refuse_crashing_container(program, states.get(name), log)
        # What was started again may be about to end again, and then has nothing any more.
        self._up_to_date -= {name for name in self.proxies if not is_steady(states.get(name))}
        steady = [is_steady(states.get(name), p) for name, (p, _) in self.programs.items()]
        return all(steady) and len(self._up_to_date) == len(self.proxies)


def is_steady(state: State | None, program: Program | None = None) -> bool:
    """Tell whether a process is up, and not only for the moment that it takes to crash.

    That it was started again is a sign of it; and of a command that listens nowhere nothing else
    shows that it does what it shall.
    """
    if state and state.is_done:
        return True
    if state is None or not state.is_up:
        return False
    silent = program and program.annotated and not program.listens and not program.tries
    doubtful = state.restarts or silent
    return state.is_settled or not doubtful


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


def _refuse_crashing_container(program: Program, state: State | None, log: Path) -> None:
    if state and failure_causes.is_given_up(state, program.tries):
        cause = failure_causes.of_container(program.container, state, log)
        hint = failure_causes.hint_of_container(cause)
        raise EnvironmentFailed(f"pod {pod_of(log)}: {cause}", hint=hint)


def _refuse_crashing_envoy(proxy: config_files.Proxy, state: State | None) -> None:
    if state and failure_causes.is_given_up(state):
        cause = failure_causes.of_envoy(state, proxy.log)
        hint = failure_causes.hint_of_envoy(cause, proxy.log)
        raise EnvironmentFailed(f"pod {proxy.name}: {cause}", hint=hint)


def _refuse_foreign_listener(program: Program, state: State) -> None:
    """Look closely at what was started more than once: a stranger may have its port."""
    from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

    for port in program.listens:
        if ports.is_free(port) or (state.is_up and orphans.listens(state.pid, port)):
            continue
        raise PortTaken(port)
