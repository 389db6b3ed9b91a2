"""The local engine: what it does for each call of the Engine protocol."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local import apply_changes, config_data, inotify, namespaces, plan
from meshdemo.engines.local.envoy import binary, config_files
from meshdemo.engines.local.injection import inject, keep
from meshdemo.engines.local.pods import status
from meshdemo.engines.local.pods.readiness import Outdated, PortTaken
from meshdemo.engines.local.pods.runtime import Runtime
from meshdemo.engines.local.store import Store
from meshdemo.engines.local.test_client import UP_HINT, Caller
from meshdemo.engines.options import Injection, MeshOptions
from meshdemo.engines.protocol import say_nothing
from meshdemo.engines.results import Applied, Change, Check, MeshStatus, Sync, Where
from meshdemo.engines.test_client import Sender
from meshdemo.errors import EnvironmentFailed, InputError, TimedOut
from meshdemo.objects.model import Object, in_apply_order, traffic_rules
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.settings import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from meshdemo.engines.local.admission import Admission, Examiner
    from meshdemo.engines.local.envoy.binary import Envoy
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.processes.spare import Spare
    from meshdemo.engines.local.runs import Run
    from meshdemo.engines.protocol import Notify
    from meshdemo.engines.results import Observed, Pod
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.errors import Problem
    from meshdemo.settings import Settings
    from meshdemo.verdict.traffic import Reply, Request


class LocalEngine:
    """Real Envoy and real processes on loopback; the state directory holds the objects."""

    root_namespace = ROOT_NAMESPACE

    def __init__(
        self,
        settings: Settings,
        notify: Notify = say_nothing,
        search: binary.Search | None = None,
        spare: Spare | None = None,
    ) -> None:
        """Open what is in the state directory.

        ``search``, for Envoy, and ``spare``, a supervisord, may have begun before.
        """
        self._spare = spare
        self.settings, self.notify = settings, notify
        self.store = Store(settings.state_dir)
        self._search = search or binary.Search()
        self._examiner: Examiner | None = None
        namespace = settings.namespace or self.store.namespace() or "default"
        self.where = Where(engine="local", context=str(self.store.folder), namespace=namespace)
        self.sender = Sender(namespace, settings.sender)

    def check(self) -> Iterator[Check]:
        """Look at every prerequisite, and change nothing."""
        from meshdemo.engines.local import prerequisites  # noqa: PLC0415 - only doctor needs it

        return prerequisites.checks(self.store)

    def install(self, options: MeshOptions = MeshOptions()) -> Iterator[Check]:  # noqa: B008 - it is frozen
        """Find Envoy, and see that it runs: there is nothing else to install here.

        Settings of Istio are refused at once, also where nobody asks for the checks.
        """
        if options != MeshOptions():
            raise InputError(
                "the local engine installs no Istio, so it takes no Istio settings",
                hint="For a cluster, name it: --engine cluster, or --context CONTEXT.",
            )
        return self._checked_envoy()

    def _checked_envoy(self) -> Iterator[Check]:
        envoy = self._envoy
        yield Check("Envoy is found", ok=True, detail=f"{envoy.path} ({envoy.source})")
        yield Check("Envoy runs", ok=True, detail=f"Envoy {envoy.version}")

    def inject(
        self,
        objects: Sequence[Object],
        injection: Injection = Injection.KUBE_INJECT,
        revision: str = "",  # noqa: ARG002 - there is one Envoy, of no revision
    ) -> tuple[Object, ...]:
        """Set the label that gives a workload its sidecar; apply nothing."""
        return inject(objects, self.store.objects(), injection)

    def revision(self) -> str:
        """Name none: there is one Envoy."""
        return ""

    def apply(self, objects: Sequence[Object], *, dry_run: bool = False) -> Applied:
        """Make the objects true, all or none of them; the same ones again change nothing."""
        if not self.store.has_record():
            self._search.begin()  # a run knows its Envoy; the first command of one needs it soon
        stored = self.store.objects()
        settled, admission = self._admit(objects, stored)
        if dry_run:
            _, changes = apply_changes.merge(settled, stored, str(absolute(".")))
            return Applied(changes, admission.warnings, admission.notes)
        # To look for it may take seconds, in which no other command need wait for the lock.
        envoy = self._envoy if self.store.run() is None else None
        with self._locked("apply"):
            # Another command was faster: judge once more, beside what is there now.
            if (current := self.store.objects()) != stored:
                stored = current
                settled, admission = self._admit(objects, stored)
            wanted, changes = apply_changes.merge(settled, stored, str(absolute(".")))
            run = self.store.run()
            runtime = Runtime(self.store, run, self.notify) if run else None
            before = runtime.planned().pods if runtime and runtime.supervisor.is_up() else ()
            # Before any is started: half a mesh for want of memory would be worse than none.
            inotify.ensure_room(plan.more_envoys(plan.blueprints(wanted), before))
            if run:
                run = self._renewed(run)
            else:
                envoy = envoy or self._envoy
                name = self._spare.run if self._spare else ""
                run = self.store.begin(envoy.path, envoy.version, self.where.namespace, name)
            self._change(run, wanted, stored)
        return Applied(changes, admission.warnings, admission.notes)

    def analyze(self, objects: Sequence[Object]) -> tuple[Problem, ...]:  # noqa: ARG002 - see below
        """Say nothing more: what Istio's analyzer finds, ``apply`` has said."""
        return ()

    def delete(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        """Remove these objects; one that is not there is no error."""
        if self.store.run() is None:
            return ()
        with self._locked("delete"):
            run, stored = self.store.run(), self.store.objects()
            keys = {item.key for item in objects}
            leaving = [item for item in reversed(in_apply_order(stored)) if item.key in keys]
            # Where a command was killed after it took them from the store, this finishes its work.
            if run and (leaving or not Runtime(self.store, run, self.notify).is_live()):
                staying = [item for item in stored if item.key not in keys]
                self._change(self._renewed(run), staying, stored)
        return tuple(Change("deleted", item.kind, item.namespace, item.name) for item in leaving)

    def wait_ready(self, objects: Sequence[Object], timeout: float) -> None:
        """Return when workloads are ready, and rules live in the test client's data plane."""
        deadline = time.monotonic() + timeout
        lost: set[int] = set()
        while True:
            runtime = self._settled(deadline - time.monotonic())
            planned = runtime.planned()
            pods = self._concerned(objects, planned.pods)
            readiness = runtime.readiness(pods, self.store.objects())
            readiness.is_current = partial(runtime.plans, planned)
            try:
                readiness.wait("the pods to be ready", max(0.0, deadline - time.monotonic()))
            except Outdated:
                continue
            except PortTaken as taken:
                self._replace_port(taken, lost)
            except TimedOut as error:
                raise self._late(error, pods) from error
            else:
                for remark in readiness.remarks():
                    self.notify(remark, always=True)
                return

    def objects(self, towards: str = "") -> tuple[Object, ...]:  # noqa: ARG002 - it has them all
        """Give what is applied now."""
        return self.store.objects()

    def pods(self, towards: str = "") -> tuple[Pod, ...]:  # noqa: ARG002 - they are all here
        """Give the pods as they are now."""
        if (run := self.store.run()) is None:
            return ()
        return status.look(Runtime(self.store, run, self.notify), self.store.objects())

    def mesh_status(self) -> MeshStatus:
        """Say that there are no gateways, and how the mesh itself is: that is Envoy."""
        run = self.store.run()
        if run is None:
            return MeshStatus(gateways=frozenset())
        there = binary.is_place(run.envoy)
        detail = f"Envoy {run.envoy_version}" if there else f"{run.envoy} is gone"
        hint = "" if there else "meshdemo up looks for another one."
        here = [item for item in self.store.objects() if item.namespace == self.where.namespace]
        found = (item for item in here if item.spec.get("replicas") == 0)
        names = tuple(f"{item.kind} {item.name}" for item in found)
        mesh = (Check("Envoy is there", there, detail, hint),)
        return MeshStatus(mesh, names, gateways=frozenset())

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None = None
    ) -> Iterator[Reply]:
        """Send a request ``count`` times from the test client, within ``timeout`` seconds."""
        return self._caller().send(request, count, timeout, enough)

    def observe(self, request: Request, timeout: float) -> Observed:
        """Send a request once from the test client, and give what sidecars say of it."""
        from meshdemo.engines.local import observation  # noqa: PLC0415 - only explain needs it

        return observation.observe(self._caller(), request, timeout)

    def files(self) -> dict[tuple[str, str, str, str], str]:
        """Give the file that an object was applied from, by the object's key."""
        return self.store.files()

    def ejected(self) -> tuple[Ejected, ...]:
        """Give the endpoints that the test client's sidecar has ejected."""
        from meshdemo.engines import upstreams  # noqa: PLC0415 - only who looks for causes

        caller = self._caller()
        if not caller.pod.injected:
            return ()
        admin = self._runtime().layout.sidecar(caller.pod).admin
        with suppress(EnvironmentFailed):  # an Envoy that is down has ejected nothing
            return upstreams.ejected(admin.page("/clusters"))
        return ()

    def sync(self) -> Sync:
        """Say nothing: a change that an Envoy does not take is refused, and taken back."""
        return Sync()

    def exec(self, argv: Sequence[str]) -> int:
        """Run a command of the user's as if in the test client; no command means a shell."""
        return self._caller().run(argv)

    def logs(
        self,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int = -1,
        access: bool = False,
    ) -> Iterator[str]:
        """Give the lines that a container wrote, or its access log."""
        from meshdemo.engines.local.pods import logs  # noqa: PLC0415 - only logs needs it

        runtime = self._runtime()
        found = logs.find(runtime.planned().pods, self.where.namespace, pod, container)
        if access:
            admin, log = runtime.layout.sidecar(found).admin, runtime.layout.access_log(found)
            return logs.access_lines(admin, log, follow=follow, tail=tail)
        return logs.lines(runtime.layout.log(found, container), follow=follow, tail=tail)

    def proxy_url(self) -> str:
        """Give the ``http_proxy`` that puts any program inside the test client."""
        return self._caller().url

    def images(self, options: MeshOptions) -> tuple[str, ...]:  # noqa: ARG002 - Envoy is not an image
        """Name no image: nothing here is pulled."""
        return ()

    def down(
        self,
        *,
        everything: bool = False,  # noqa: ARG002 - all of it is ours
        force: bool = False,  # noqa: ARG002 - and nobody else's
    ) -> Iterator[Check]:
        """Remove what we made in the namespace that was named, else in all; and prove it gone."""
        from meshdemo.engines.local import teardown  # noqa: PLC0415 - psutil costs a quick command too much

        namespace = self.settings.namespace
        if namespace and namespaces.others(self.store, namespace):
            removed = self._remove_namespace(namespace)
            return namespaces.prove_gone(self._runtime(), namespace, removed)
        with suppress(EnvironmentFailed):  # what is damaged goes as well
            if spaces := namespaces.listed(self.store.objects()):
                self.notify(f"removing all that is in {self.store.folder}: {spaces}", lasting=True)
        return teardown.take_down(self.store, self.settings.timeout)

    @property
    def _envoy(self) -> Envoy:
        return self._search.result()

    @contextmanager
    def _locked(self, doing: str, timeout: float | None = None) -> Iterator[None]:
        """Keep others from changing the mesh; only ``apply`` begins one where there is none."""
        wait = self.settings.timeout if timeout is None else max(0.0, timeout)
        with self.store.locked(f"meshdemo {doing}", wait, None if doing == "apply" else self._run):
            try:
                yield
            finally:
                if not self.store.has_record():
                    self.store.remove()

    def _settled(self, timeout: float) -> Runtime:
        """Give what runs, after the command that is changing it; a killed one will not go on."""
        runtime = self._runtime()
        if not (runtime.is_live() and runtime.supervisor.is_up()):
            with self._locked("wait", timeout):
                runtime = self._runtime()
                if not (live := runtime.is_live()) or not runtime.supervisor.is_up():
                    message = status.NO_SUPERVISOR if live else status.NOT_LIVE
                    raise EnvironmentFailed(message, hint="Type: meshdemo up")
        return runtime

    def _replace_port(self, taken: PortTaken, lost: set[int]) -> None:
        """Take another port for one that a stranger has; once, it is bad luck."""
        if taken.port in lost:
            raise EnvironmentFailed(f"{taken}, again and again", hint="Try again.") from taken
        lost.add(taken.port)
        self.notify(f"{taken}; taking another one")
        with self._locked("wait"):
            run = self._renewed(self._run())
            Runtime(self.store, run, self.notify).reconcile(self.store.objects(), lost)

    def _renewed(self, run: Run, namespace: str = "") -> Run:
        """Note the namespace; look for another Envoy if that of this run is where none is sought.

        What a record names is not run for that alone.
        """
        now = replace(run, namespace=namespace or self.where.namespace)
        if not binary.is_place(run.envoy):
            now = replace(now, envoy=self._envoy.path, envoy_version=self._envoy.version)
        if now != run:
            self.store.record(now)
        return now

    def _run(self) -> Run:
        run = self.store.run()
        if run is None:
            raise EnvironmentFailed(f"there is no mesh in {self.store.folder}", hint=UP_HINT)
        return run

    def _runtime(self) -> Runtime:
        return Runtime(self.store, self._run(), self.notify)

    def _admit(
        self, objects: Sequence[Object], stored: Sequence[Object]
    ) -> tuple[tuple[Object, ...], Admission]:
        """Judge the objects, and settle what they leave open."""
        from meshdemo.engines.local import certificates  # noqa: PLC0415 - only changes need it
        from meshdemo.engines.local.admission import Examiner, admit  # noqa: PLC0415 - the same

        left = apply_changes.left_to_owners(objects, stored)
        written = [apply_changes.as_written(item) for item in objects if item.title not in left]
        self._examiner = self._examiner or Examiner()
        admission = admit(written, stored, self._examiner)
        settled = () if admission.problems else keep(admission.objects, stored)
        problems = admission.problems or (
            *plan.command_problems(settled, stored),
            *config_data.problems(settled, stored),
            *certificates.problems(settled),
        )
        if problems:
            raise InputError("the objects are refused, and none was applied", problems)
        notes = [f"{pod} is left to {owner}, which makes it" for pod, owner in left.items()]
        return settled, replace(admission, notes=(*admission.notes, *notes))

    def _change(self, run: Run, wanted: Sequence[Object], stored: Sequence[Object]) -> None:
        """Replace the objects; what an Envoy rejects is taken back."""
        runtime = Runtime(self.store, run, self.notify, self._spare)
        self.store.replace(wanted)
        try:
            runtime.reconcile(wanted)
        except config_files.Rejected:
            self.store.replace(stored)
            with suppress(EnvironmentFailed):
                runtime.reconcile(stored)
            raise

    def _remove_namespace(self, namespace: str) -> int:
        """Remove all that is in a namespace, and count it; another one is the run's from now on."""
        with self._locked("down"):
            run, stored = self._run(), self.store.objects()
            staying = namespaces.others(self.store, namespace)
            self.notify(f"staying: {namespaces.listed(staying)}", lasting=True)
            if len(staying) < len(stored):
                self._change(self._renewed(run, namespaces.foremost(staying)), staying, stored)
            return len(stored) - len(staying)

    def _concerned(self, objects: Sequence[Object], pods: Sequence[PlannedPod]) -> list[PlannedPod]:
        """Pick the pods of the workloads among the objects; for rules, the test client's too."""
        given = {(item.kind, item.namespace, item.name) for item in objects}
        client = self.sender.find(pods) if traffic_rules(objects) else None
        return [pod for pod in pods if plan.owner(pod) in given or pod == client]

    def _late(self, error: TimedOut, pods: Sequence[PlannedPod]) -> TimedOut:
        """Say what the pods still lack."""
        names = {(pod.namespace, pod.name) for pod in pods}
        wrong = [
            f"{pod.name} is {pod.ready}: {pod.message}"
            for pod in self.pods()
            if (pod.namespace, pod.name) in names and pod.message
        ]
        return TimedOut("\n".join([error.message, *wrong]), hint=error.hint)

    def _caller(self) -> Caller:
        return Caller.of(self._runtime(), self.store.objects(), self.sender)
