"""The pods as they are now, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local import images, programs
from meshdemo.engines.local.envoy import config_files
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.pods import failure_causes, ports
from meshdemo.engines.local.pods.layout import KUBE_PROXY, process_name
from meshdemo.engines.local.pods.readiness import is_steady, remarks
from meshdemo.engines.local.store import timestamp
from meshdemo.engines.results import Container, Pod
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.containers import ISTIO_INIT, ISTIO_PROXY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.pods.runtime import Planned, Runtime
    from meshdemo.engines.local.processes.supervisor import State
    from meshdemo.objects.model import Object

LINES = 3
TAKEN_BY_ANOTHER = "port {port} is taken by another program; `meshdemo up` takes another one"
NO_SUPERVISOR = "its processes are not supervised any more; `meshdemo up` starts them again"

NOT_LIVE = (
    "objects are recorded but not live: a command is at it, or ended before it was done; "
    "`meshdemo up` makes them so"
)


def look(runtime: Runtime, objects: Sequence[Object]) -> tuple[Pod, ...]:
    """Look at every planned pod."""
    planned, states = runtime.planned(), runtime.supervisor.states()
    trouble = "" if runtime.is_live() or not states else NOT_LIVE
    looking = _Look(runtime, planned, objects, states, trouble)
    return tuple(looking.at(pod) for pod in planned.pods)


class _Look:
    """One look at the pods of a run."""

    def __init__(
        self,
        runtime: Runtime,
        planned: Planned,
        objects: Sequence[Object],
        states: Mapping[str, State],
        trouble: str,
    ) -> None:
        self.runtime, self.planned, self.objects, self.states = runtime, planned, objects, states
        self.trouble = trouble
        """What is wrong with all of them; empty if nothing is."""

    def at(self, pod: PlannedPod) -> Pod:
        containers, wrong = [], []
        if not self.states:
            wrong.append(NO_SUPERVISOR)
        for program in self.runtime.programs_of(pod, self.planned, self.objects):
            problems = list(self._program_problems(pod, program)) if self.states else [""]
            state = self.states.get(process_name(pod, program.container))
            wrong += [*filter(None, problems), *remarks(program, state)]
            containers.append(self._container(pod, program, ready=not problems))
        if pod.injected:
            containers += self._sidecar(pod, wrong)
        elif self.states:
            proxy = self.runtime.layout.kube_proxy(pod.namespace)
            wrong.append(self._envoy_trouble(proxy, KUBE_PROXY, self.states.get(proxy.name)))
        prefix = process_name(pod, "")
        is_started = any(name.startswith(prefix) for name in self.states)
        return Pod(
            name=pod.name,
            namespace=pod.namespace,
            labels=dict(pod.labels),
            containers=tuple(containers),
            injected=pod.injected,
            phase=self._phase(pod) if is_started else "Pending",
            message="; ".join(dict.fromkeys(filter(None, [self.trouble, *wrong]))),
            addresses=tuple(f"{port.number} at {LOOPBACK}:{port.entry}" for port in pod.ports),
            workload=pod.workload,
            workload_kind=pod.workload_kind,
            serves=pod.is_endpoint,
            created=self._created(pod),
        )

    def _phase(self, pod: PlannedPod) -> str:
        """Say how a pod is as a whole: of one whose processes may end, whether all have."""
        names = [str(container["name"]) for container in images.containers(pod.template)]
        states = [self.states.get(process_name(pod, name)) for name in names]
        if not pod.tries or not all(state and state.is_over for state in states):
            return "Running"
        return "Succeeded" if all(state and state.is_done for state in states) else "Failed"

    def _created(self, pod: PlannedPod) -> str:
        """Say when its first program was written down, which is once for each pod."""
        declared = images.containers(pod.template)
        try:
            written = self.runtime.layout.program(pod, str(declared[0]["name"])).stat().st_mtime
        except OSError:
            return ""
        return timestamp(written)

    def _container(self, pod: PlannedPod, program: programs.Program, *, ready: bool) -> Container:
        declared = images.containers(pod.template)
        own = next(each for each in declared if each["name"] == program.container)
        image = images.image_of(own)
        if images.is_stand_in(pod.template, own):
            image = f"{images.ECHO} for {image}"
        state = self.states.get(process_name(pod, program.container))
        restarts = state.restarts if state else 0
        is_up = bool(state and state.is_up)
        reason = _reason(state)
        return Container(program.container, image, ready and is_up, restarts, reason=reason)

    def _sidecar(self, pod: PlannedPod, wrong: list[str]) -> Iterator[Container]:
        image = f"envoy {self.runtime.run.envoy_version}"
        state = self.states.get(process_name(pod, ISTIO_PROXY))
        trouble = NO_SUPERVISOR
        if self.states:
            trouble = self._envoy_trouble(self.runtime.layout.sidecar(pod), ISTIO_PROXY, state)
            wrong.append(trouble)
        # Nothing redirects here: the init container stands for the sidecar's listeners.
        yield Container(ISTIO_INIT, image, ready=not trouble, init=True)
        restarts = state.restarts if state else 0
        yield Container(
            ISTIO_PROXY,
            image,
            ready=not trouble,
            restarts=restarts,
            sidecar=True,
            reason=_reason(state),
        )

    @staticmethod
    def _envoy_trouble(proxy: config_files.Proxy, name: str, state: State | None) -> str:
        ended = state and (state.is_crashing or (state.restarts and not is_steady(state)))
        if state and ended:
            return failure_causes.of_envoy(state, proxy.log, LINES)
        try:
            if not config_files.is_up_to_date(proxy):
                return f"{name} does not have its configuration yet"
        except EnvironmentFailed as error:
            return error.message
        return (
            ""
            if state is None or is_steady(state)
            else failure_causes.of_envoy(state, proxy.log, LINES)
        )

    def _program_problems(self, pod: PlannedPod, program: programs.Program) -> Iterator[str]:
        state = self.states.get(process_name(pod, program.container))
        if state and state.is_done:
            return
        if state is None or not state.is_up:
            yield self._why_down(pod, program, state)
            return
        silent = [port for port in program.listens if not ports.is_listening(port)]
        if not is_steady(state, program) and (state.restarts or not silent):
            # What was only just started again listens nowhere yet: its end says more.
            yield self._why_doubtful(pod, program, state)
        elif silent:
            yield from self._silence(pod, program, silent)
        if state.restarts and not silent:
            yield from self._strangers(program, state)

    def _why_down(self, pod: PlannedPod, program: programs.Program, state: State | None) -> str:
        if taken := [port for port in program.listens if not ports.is_free(port)]:
            return TAKEN_BY_ANOTHER.format(port=taken[0])
        if state is None:
            return f"{program.container}: not started yet; run `meshdemo up`"
        log = self.runtime.layout.log(pod, program.container)
        if state.is_crashing or state.is_over:
            return failure_causes.of_container(program.container, state, log, LINES)
        said = failure_causes.last_lines(log, LINES)
        return f"{program.container} is {state.status.lower()}; its last lines:\n{said}"

    def _why_doubtful(self, pod: PlannedPod, program: programs.Program, state: State) -> str:
        if not state.restarts:
            return f"{program.container} was only just started"
        log = self.runtime.layout.log(pod, program.container)
        return failure_causes.of_container(program.container, state, log, LINES)

    def _silence(
        self, pod: PlannedPod, program: programs.Program, silent: list[int]
    ) -> Iterator[str]:
        numbers = {port.app: port.number for port in pod.ports}
        for port in silent:
            place = f"{numbers[port]} ({LOOPBACK}:{port})"
            yield f"{program.container} does not listen on its port {place}"

    def _strangers(self, program: programs.Program, state: State) -> Iterator[str]:
        """Look closer at what was started more than once: a stranger may have its port."""
        from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

        for port in program.listens:
            if not orphans.listens(state.pid, port):
                yield TAKEN_BY_ANOTHER.format(port=port)


def _reason(state: State | None) -> str:
    if state and state.is_over:
        return "Completed" if state.is_done else "Error"
    return "CrashLoopBackOff" if state and state.is_crashing else ""
