"""Make the planned pods true: files, processes, and Envoys that know of each other.

    objects -> pods with places -> files of new Envoys -> processes -> files of running Envoys

Doing it again changes nothing; doing it after a command that was killed finishes the work.
"""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines import run_record
from meshdemo.engines.local import images, plan, programs, translate
from meshdemo.engines.local.config_data import ConfigData
from meshdemo.engines.local.envoy import config_files
from meshdemo.engines.local.envoy.bootstrap import FLAGS, bootstrap
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.engines.local.pods import ports, volumes
from meshdemo.engines.local.pods.layout import Layout, process_name
from meshdemo.engines.local.pods.readiness import Outdated, PortTaken, Readiness
from meshdemo.engines.local.processes import launch
from meshdemo.engines.local.processes.configuration import Process
from meshdemo.engines.local.processes.supervisor import Supervisor
from meshdemo.engines.local.store import PODS
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.objects.labels import DIRECTORY
from meshdemo.system import files, waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines.local.processes.spare import Spare
    from meshdemo.engines.local.runs import Run
    from meshdemo.engines.local.store import Store
    from meshdemo.engines.local.translate import Config
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

ROLLOUT_SECONDS = 10
"""How long new pods may take before requests go to them, ready or not."""
DRAIN_SECONDS = 5
"""How long a pod that goes may take for what is under way: Istio's terminationDrainDuration."""
ATTEMPTS = 5
"""How many times all is begun anew, because a port was taken or supervisord ended meanwhile."""
BOOTSTRAP = "bootstrap.json"


class Planned(Struct, frozen=True):
    """The pods, and for each namespace with a pod without a sidecar the port of its proxy."""

    pods: tuple[PlannedPod, ...] = ()
    kube_proxies: tuple[tuple[str, int], ...] = ()
    live: str = ""
    """Digest of the objects that all of it was made true for; empty while a command is at it,
    and after one that was killed."""

    @property
    def places(self) -> set[int]:
        """List every port on loopback that this takes."""
        return plan.places(self.pods) | {port for _, port in self.kube_proxies}

    def to_record(self) -> dict[str, Any]:
        """Give the plan as plain data, as ``pods.json`` holds it."""
        pods, proxies = plan.to_record(self.pods), dict(self.kube_proxies)
        return {"pods": pods, "kube_proxies": proxies, "live": self.live}

    def proxy(self, pod: PlannedPod) -> int:
        """Give the port that takes what a pod sends."""
        return pod.outbound or dict(self.kube_proxies).get(pod.namespace, 0)


class Runtime:
    """What runs for one state directory."""

    def __init__(self, store: Store, run: Run, notify: Notify, begun: Spare | None = None) -> None:
        """Take the run; ``begun`` may be a supervisord that was started for it."""
        self.store, self.run, self.notify = store, run, notify
        self.layout = Layout(store.folder, Path(run.sockets))
        self.supervisor = Supervisor(store.folder, Path(run.sockets), run.run, begun)
        self.locks = ports.PortLocks(run.run, store.folder)

    def planned(self) -> Planned:
        """Give the pods as they were last planned. Raises run_record.Damaged."""
        found = self.store.plan()
        try:
            pods = plan.from_record(found.get("pods", ()))
            proxies = tuple(found.get("kube_proxies", {}).items())
        except (AttributeError, LookupError, TypeError) as error:
            raise run_record.Damaged(
                self.store.folder / PODS, "it is of another version"
            ) from error
        return Planned(pods, proxies, str(found.get("live", "")))

    def is_live(self) -> bool:
        """Tell whether a command has made all objects true, and was not killed before."""
        return self.planned().live == self.store.digest()

    def plans(self, planned: Planned) -> bool:
        """Tell whether these are still the planned pods."""
        now = self.planned()
        return (now.pods, now.kube_proxies) == (planned.pods, planned.kube_proxies)

    def reconcile(self, objects: Sequence[Object], lost: Iterable[int] = ()) -> None:
        """Have the pods of these objects running, with their rules, and no others.

        ``lost`` are ports that somebody else has taken.

        Raises EnvironmentFailed, among them config_files.Rejected.
        """
        gone, why = frozenset(lost), ""
        for _ in range(ATTEMPTS):
            try:
                self._reconcile(objects, gone)
            except (PortTaken, config_files.Rejected) as error:
                # A taken port is left and another one chosen; what Envoy rejects otherwise stays
                # rejected.
                if not error.port:
                    raise
                gone |= {error.port}
                why = f"other programs took port after port of ours: {sorted(gone)}"
            except (Outdated, Unreachable):
                # All that supervisord ran is started again.
                why = "supervisord ended again and again"
            else:
                return
        raise EnvironmentFailed(why, hint="Try again.")

    def readiness(self, pods: Iterable[PlannedPod], objects: Sequence[Object]) -> Readiness:
        """Give what to wait for until these pods are ready."""
        readiness, planned = Readiness(self.layout, self.supervisor), self.planned()
        for pod in pods:
            readiness.expect(pod, self.programs_of(pod, planned, objects))
            if not pod.injected:
                proxy = self.layout.kube_proxy(pod.namespace)
                readiness.proxies[proxy.name] = proxy
        return readiness

    def programs_of(
        self, pod: PlannedPod, planned: Planned, objects: Iterable[Object]
    ) -> tuple[programs.Program, ...]:
        """Say what runs in a pod."""
        every = tuple(objects)
        services = plan.selecting(pod, (item for item in every if item.kind == "Service"))
        around = self.surroundings(pod, every)
        proxy, run = planned.proxy(pod), self.run.run
        return programs.programs(pod, services, around, proxy=proxy, run=run)

    def surroundings(self, pod: PlannedPod, objects: Iterable[Object]) -> programs.Surroundings:
        """Say what the processes of a pod find around them."""
        data = ConfigData.of(objects, pod.namespace)
        return programs.Surroundings(data, volumes.folders(self.layout, pod))

    def _reconcile(self, objects: Sequence[Object], lost: frozenset[int]) -> None:
        self.store.ensure_folders(self.run)
        before = self.planned()
        known = {self.layout.sidecar(pod).folder for pod in before.pods if pod.injected}
        known |= {self.layout.kube_proxy(name).folder for name, _ in before.kube_proxies}
        # An Envoy whose folder was removed sees nothing of a new one in its place.
        there = all(map(files.is_own_folder, known | self._folders(before)))
        running = self.supervisor.is_up() and there
        if not running and self.supervisor.was_started:
            # What an earlier one left behind would keep our ports; and while it still ends, it
            # would take the new one's socket away.
            self.supervisor.stop()
        planned = self._plan(objects, before, lost | self._lost(before, running=running))
        fresh, leaving = _without(planned.pods, before.pods), _without(before.pods, planned.pods)
        configs = self._configs(objects, planned)
        starting = {proxy.folder for proxy, _ in configs} - (known if running else set())
        for proxy, config in configs:
            if proxy.folder in starting:
                config_files.write_all(proxy, config)
        wanted = self._write_processes(planned, objects)
        done = replace(planned, live=self.store.digest())
        # Not marked as live before the end: a command that is killed from here on leaves work to
        # do.
        self.store.save_plan((done if before == done else planned).to_record())
        if not running:
            self.supervisor.start(wanted)
        elif fresh:
            # Pods that serve now go on until the new ones can.
            self.supervisor.ensure([*wanted, *self._as_running(leaving)])
        # At a first start nothing serves yet that could go on until then.
        if fresh and running and before.pods:
            self._await(fresh, objects)
        for proxy, config in configs:
            if proxy.folder not in starting:
                config_files.publish(proxy, config)
        self._drain(leaving)
        if running and (leaving or not fresh):
            # Of a command that was killed nobody knows whether supervisord has loaded it all.
            self.supervisor.ensure(wanted, loaded=bool(before.live))
        self._tidy(planned)
        self.store.save_plan(done.to_record())

    def _plan(self, objects: Sequence[Object], before: Planned, lost: frozenset[int]) -> Planned:
        pods = plan.place(plan.blueprints(objects), before.pods, self.locks.take, lost)
        had = {name: port for name, port in before.kube_proxies if port not in lost}
        names = sorted({pod.namespace for pod in pods if not pod.injected})
        new = iter(self.locks.take(sum(name not in had for name in names)))
        return Planned(pods, tuple((name, had.get(name) or next(new)) for name in names))

    def _lost(self, before: Planned, *, running: bool) -> frozenset[int]:
        """Find places of ours where a stranger is now."""
        lost = set(self.locks.keep(sorted(before.places)))
        if not running:
            return frozenset(lost | {port for port in before.places if not ports.is_free(port)})
        states = self.supervisor.states()
        for pod in before.pods:
            prefix = process_name(pod, "")
            # A program that runs listens there itself: only one that cannot start has lost its
            # port.
            if any(state.is_crashing for name, state in states.items() if name.startswith(prefix)):
                lost |= {port.app for port in pod.ports if not ports.is_free(port.app)}
        return frozenset(lost)

    def _configs(
        self, objects: Sequence[Object], planned: Planned
    ) -> list[tuple[config_files.Proxy, Config]]:
        mesh = Mesh(tuple(objects), planned.pods)
        found = []
        for pod in planned.pods:
            if pod.injected:
                proxy = self.layout.sidecar(pod)
                found.append((proxy, translate.sidecar(mesh, pod, str(proxy.folder))))
        for namespace, port in planned.kube_proxies:
            proxy = self.layout.kube_proxy(namespace)
            found.append((proxy, translate.kube_proxy(mesh, port, str(proxy.folder), namespace)))
        return found

    def _write_processes(self, planned: Planned, objects: Sequence[Object]) -> list[Process]:
        """Write what each process reads when it starts, and list the processes."""
        directories = {
            (item.kind, item.namespace, item.name): item.annotations.get(DIRECTORY, "/")
            for item in objects
        }
        found: list[Process] = []
        for pod in planned.pods:
            directory = directories.get(plan.owner(pod), "/")
            volumes.write(self.layout, pod, ConfigData.of(objects, pod.namespace))
            for program in self.programs_of(pod, planned, objects):
                self._write_program(pod, program, directory)
            if pod.injected:
                self._write_bootstrap(self.layout.sidecar(pod))
        for namespace, _ in planned.kube_proxies:
            proxy = self.layout.kube_proxy(namespace)
            self._write_bootstrap(proxy)
            found.append(self._envoy(proxy.name, proxy))
        return [*found, *self._as_running(planned.pods)]

    def _write_program(self, pod: PlannedPod, program: programs.Program, directory: str) -> None:
        where = directory if program.annotated else "/"
        described = launch.described(program.argv, program.env, where, program.tries)
        file = self.layout.program(pod, program.container)
        if files.write_if_changed(file, described) and program.annotated:
            line = f"pod {pod.name} runs, in {where}: {shlex.join(program.argv)}"
            self.notify(line, always=True)  # nobody's command runs unseen

    def _write_bootstrap(self, proxy: config_files.Proxy) -> None:
        text = json.dumps(bootstrap(proxy.name, folder=str(proxy.folder), admin=str(proxy.socket)))
        files.write_if_changed(proxy.folder / BOOTSTRAP, text)

    def _as_running(self, pods: Iterable[PlannedPod]) -> list[Process]:
        """List the processes of pods from what is written for them."""
        found = []
        for pod in pods:
            for container in images.containers(pod.template):
                name = str(container["name"])
                file = self.layout.program(pod, name)
                # Without site-packages and the user's PYTHON variables: it only reads a file and
                # becomes the program, once for each container.
                argv = (sys.executable, "-S", "-E", str(launch.__file__), str(file))
                content = files.text(file)
                log = self.layout.log(pod, name)
                ends = bool(pod.tries)
                found.append(Process(process_name(pod, name), argv, log, content, ends))
            if pod.injected:
                envoy = self._envoy(process_name(pod, ISTIO_PROXY), self.layout.sidecar(pod))
                found.append(replace(envoy, output=self.layout.access_log(pod)))
        return found

    def _envoy(self, name: str, proxy: config_files.Proxy) -> Process:
        file = proxy.folder / BOOTSTRAP
        argv = (self.run.envoy, "-c", str(file), *FLAGS)
        return Process(name, argv, proxy.log, files.text(file))

    def _await(self, fresh: Iterable[PlannedPod], objects: Sequence[Object]) -> None:
        """Wait for new pods before requests go to them; if in vain, whoever waits next says so."""
        try:
            self.readiness(fresh, objects).wait("the new pods", ROLLOUT_SECONDS)
        except (TimedOut, EnvironmentFailed) as error:
            if isinstance(error, config_files.Rejected):
                raise

    def _drain(self, leaving: Sequence[PlannedPod]) -> None:
        """Let requests end that are under way to pods to which no new ones go any more.

        Envoy closes a connection to such a pod when nothing is under way on it.
        """
        if not leaving:
            return
        from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

        states = self.supervisor.states()
        entries = {port.entry for pod in leaving for port in pod.ports}
        prefixes = tuple(process_name(pod, "") for pod in leaving)
        pids = [state.pid for name, state in states.items() if name.startswith(prefixes)]
        with suppress(TimedOut):
            waiting.until(
                lambda: not any(orphans.is_connected(pid, entries) for pid in pids if pid),
                "the last requests",
                timeout=DRAIN_SECONDS,
            )

    def _tidy(self, planned: Planned) -> None:
        """Remove what belongs to no pod any more."""
        for path in set(self.store.inside()) - self._folders(planned):
            files.remove(path)
        self.locks.release([port for port in self.locks.held() if port not in planned.places])

    def _folders(self, planned: Planned) -> set[Path]:
        """Give the folder of each pod, and of each kube-proxy."""
        proxies = {self.layout.kube_proxy(name).folder for name, _ in planned.kube_proxies}
        return {self.layout.pod(pod) for pod in planned.pods} | proxies


def _without(pods: Iterable[PlannedPod], others: Iterable[PlannedPod]) -> list[PlannedPod]:
    names = {(pod.namespace, pod.name) for pod in others}
    return [pod for pod in pods if (pod.namespace, pod.name) not in names]
