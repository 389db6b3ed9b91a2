"""The cluster engine: what it does for each call of the Engine protocol."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING

from meshdemo.engines.cluster import injection as sidecars
from meshdemo.engines.cluster import recorded_cluster, rule_warnings
from meshdemo.engines.cluster.api.kube import Kube
from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.namespace_view import LASTING_KINDS, View, target
from meshdemo.engines.cluster.objects import local_images
from meshdemo.engines.cluster.objects.apply import (
    TRIAL_NAMESPACE,
    Applier,
    is_ours,
    refuse_misshapen,
)
from meshdemo.engines.cluster.objects.removal import Removal
from meshdemo.engines.cluster.pods import status
from meshdemo.engines.cluster.pods.readiness import WorkloadReadiness
from meshdemo.engines.cluster.sidecar import data_plane, first_answers
from meshdemo.engines.cluster.sidecar.readiness import LAST_LOOK, SidecarReadiness
from meshdemo.engines.options import Injection, MeshOptions
from meshdemo.engines.protocol import find_nothing, say_nothing
from meshdemo.engines.results import Applied, Change, Check, Pod, Sync, Where
from meshdemo.errors import InputError, UsageError
from meshdemo.objects.model import RULE_KINDS, WORKLOAD_KINDS, Object, in_apply_order, traffic_rules
from meshdemo.rules.promise import followed
from meshdemo.verdict import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from meshdemo.engines.cluster.api.kube import Json
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.cluster.istio.istioctl import Istioctl
    from meshdemo.engines.cluster.sidecar.config_dump import Dump
    from meshdemo.engines.protocol import Judge, Notify
    from meshdemo.engines.results import MeshStatus, Observed
    from meshdemo.engines.test_client import Sender
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.errors import Problem
    from meshdemo.settings import Settings
    from meshdemo.verdict.traffic import Reply, Request


class ClusterEngine:
    """A real Kubernetes with a real Istio; the cluster itself holds all state, by our label."""

    def __init__(
        self, settings: Settings, notify: Notify = say_nothing, judge: Judge = find_nothing
    ) -> None:
        self.settings, self.notify, self.judge = settings, notify, judge
        self._before: tuple[Dump, float] | None = None
        """What the client's sidecar had before this process changed a rule, and when that was."""

    @cached_property
    def kube(self) -> Kube:
        """The cluster; opened late, as to list images takes none."""
        return Kube.open(self.settings)

    @cached_property
    def run(self) -> str:
        """The namespace, by which our objects are labelled too."""
        return self.settings.place or self.kube.namespace

    @cached_property
    def view(self) -> View:
        """What of the cluster counts for this run."""
        return View(self.kube, self.run, self.settings.sender)

    @property
    def sender(self) -> Sender:
        """Which pod sends."""
        return self.view.sender

    @cached_property
    def where(self) -> Where:
        """The mesh that this engine is about: context, namespace and API server."""
        return Where("cluster", self.kube.context, self.run, self.kube.server)

    @property
    def root_namespace(self) -> str:
        """Where a DestinationRule holds for all namespaces."""
        return self.view.root_namespace

    def check(self) -> Iterator[Check]:
        """Look at every prerequisite, and change nothing."""
        from meshdemo.engines.cluster.prerequisites import Doctor  # noqa: PLC0415 - only doctor

        return Doctor(self.kube, self.settings, self.run).checks()

    def install(self, options: MeshOptions = MeshOptions()) -> Iterator[Check]:  # noqa: B008 - it is frozen
        """Install Istio if it is not there, and verify it."""
        from meshdemo.engines.cluster.istio.install import Installation  # noqa: PLC0415 - only install

        self._begin_step()
        find = self._find_istioctl(options)
        # What is only tried is tried where it could be: our namespace may be yet to come.
        place = self.run if self.view.has_namespace() else TRIAL_NAMESPACE
        timeout = self.settings.timeout
        return Installation(self.kube, options, find, self.notify, timeout, place).run()

    def images(self, options: MeshOptions = MeshOptions()) -> tuple[str, ...]:  # noqa: B008 - it is frozen
        """List Istio's own images."""
        from meshdemo.engines.cluster.istio.install import found_or_fetched  # noqa: PLC0415 - only images
        from meshdemo.engines.cluster.istio.istioctl import Istioctl  # noqa: PLC0415 - the same

        return Istioctl(found_or_fetched(self.settings, options)).images(options)

    def inject(
        self,
        objects: Sequence[Object],
        injection: Injection = Injection.KUBE_INJECT,
        revision: str = "",
    ) -> tuple[Object, ...]:
        """Give the same objects with the sidecars that are asked for; apply nothing."""
        try:
            return self._inject(objects, injection, revision)
        finally:
            self._begin_step()

    def _inject(
        self, objects: Sequence[Object], injection: Injection, revision: str
    ) -> tuple[Object, ...]:
        if injection is not Injection.KUBE_INJECT:
            labels = self.view.namespace_labels(tuple(objects))
            if injection is Injection.AUTO:
                spaces = {item.namespace for item in objects if sidecars.asks(item)}
                asked = {name: labels[name] for name in sorted(spaces)}
                sidecars.require_webhook(asked, control_plane.served_revisions(self.kube))
            return sidecars.inject(objects, injection, _NoInjector(), labels)
        if not any(item.makes_pods for item in objects):
            return tuple(objects)
        planes = control_plane.control_planes(self.kube)
        plane = control_plane.choose(planes or (), revision)
        if planes and plane is None:
            raise control_plane.no_such_revision(planes, revision)
        sidecars.require_istiod(self.kube, planes, plane)
        find = self._find_istioctl(MeshOptions(revision=revision))
        return sidecars.inject(objects, injection, find(plane), {}, self.kube.budget.left)

    def revision(self) -> str:
        """Name the revision that the workloads of this run have their sidecars from."""
        planes = control_plane.control_planes(self.kube)
        there = None if planes is None else {plane.revision for plane in planes}
        found = (
            sidecars.revision_of(Object(live))
            for kind in LASTING_KINDS
            for live in self.view.own(kind)
        )
        return next((each for each in found if each and (there is None or each in there)), "")

    def apply(self, objects: Sequence[Object], *, dry_run: bool = False) -> Applied:
        """Make the objects true, all or none of them; the same ones again change nothing."""
        refuse_misshapen(objects, partial(self.apply, dry_run=True))
        if problems := tuple(local_images.problems_of(objects)):
            raise InputError("the objects are refused, and none was applied", problems)
        asked = self.settings
        applier = Applier(
            self.kube, self.run, self.judge, adopt=asked.adopt, force=asked.force_conflicts
        )
        wanted = objects if dry_run else self._kept_injected(objects, applier)
        if traffic_rules(wanted) and not dry_run:
            # Who knew them before can tell which rules it is to follow no more.
            dump = data_plane.dump_of(self.view)
            self._before = (dump, time.monotonic()) if dump else None
        changes = applier.apply(in_apply_order(wanted), dry_run=dry_run)
        if not dry_run:
            # Only now: what was refused must not decide which mesh the next command is about.
            recorded_cluster.remember(self.settings, self.kube, self.run)
        changed = any(c.action != "unchanged" for c in changes if c.kind in RULE_KINDS)
        # Nothing has changed, so no new configuration will come that one could wait for.
        if self._before and not changed and not dry_run:
            self._before = None
        untried = tuple(item.title for item in applier.untried)
        return Applied(changes, self._odd(objects), untried=untried)

    def analyze(self, objects: Sequence[Object]) -> tuple[Problem, ...]:
        """Say what ``istioctl analyze`` finds odd about objects beyond what ``apply`` says."""
        from meshdemo.engines.cluster import istioctl_analyze  # noqa: PLC0415 - only for the user's own

        find = self._find_istioctl()
        return istioctl_analyze.of_objects(
            objects, self._odd(objects), self.run, lambda: find(None)
        )

    def delete(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        """Remove these objects; one that is not there is no error, one that is not ours is kept.

        A VirtualService leaves the client's sidecar before the subsets that it speaks of go.
        """
        removal = self._removal()
        changes: tuple[Change, ...] = ()
        plane = data_plane.that_follows(self.view)
        ordered = in_apply_order(objects)[::-1]
        for kind in reversed(RULE_KINDS):
            batch = [item for item in ordered if item.kind == kind]
            done = removal.delete(batch)
            changes += done
            names = {(c.namespace, c.name) for c in done if c.action == "deleted"}
            gone = [item for item in batch if (item.namespace, item.name) in names]
            if gone and plane:
                self._sidecar_readiness(self.kube.budget.left).wait_for_absence(plane, gone)
        return changes + removal.delete([item for item in ordered if item.kind not in RULE_KINDS])

    def wait_ready(self, objects: Sequence[Object], timeout: float) -> None:
        """Return when workloads answer, and rules are live in the test client's data plane."""
        left = min(timeout, self.kube.budget.left)
        self._begin_step(left + LAST_LOOK)
        try:
            self._wait_ready(objects, left)
        finally:
            self._begin_step()

    def _wait_ready(self, objects: Sequence[Object], left: float) -> None:
        workloads, sidecar = self._workload_readiness(left), self._sidecar_readiness(left)
        workloads.wait_for_workloads(objects)
        client = self.view.client()
        if client and data_plane.follows(client) and traffic_rules(objects):
            before, self._before = self._before, None
            awaited = followed(traffic_rules(objects), self.view.seen(), self.view.follower(client))
            if awaited or before:  # what it does not follow any more goes too
                sidecar.wait_for_rules(data_plane.of(self.view, client), awaited, before)
        start = first_answers.Start.seen(self.view, objects)
        places = start.places() if client else []
        if client:
            sidecar.wait_for_answers(data_plane.of(self.view, client), places)
        if start.is_unproved(places):
            workloads.wait_for_steadiness(objects)

    def objects(self, towards: str = "") -> tuple[Object, ...]:
        """Give what is applied now; ``towards`` a namespace also what decides about requests."""
        if not towards:
            return self.view.objects()
        with ThreadPoolExecutor(max_workers=1) as pool:
            more = pool.submit(self.view.towards, towards)
            found = (*self.view.objects(), *more.result())
        return tuple({item.key: item for item in found}.values())

    def pods(self, towards: str = "") -> tuple[Pod, ...]:
        """Give the pods of this namespace, and of the one that requests go to."""
        return tuple(pod for space in self.view.spaces(towards) for pod in self.view.pods(space))

    def mesh_status(self) -> MeshStatus:
        """Look at Istio, and at what the test client's sidecar follows."""
        from meshdemo.engines.cluster import mesh_status  # noqa: PLC0415 - only status needs it

        return mesh_status.look(self.kube, self.view)

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None = None
    ) -> Iterator[Reply]:
        """Send a request ``count`` times from the test client, within ``timeout`` seconds."""
        from meshdemo.engines.cluster import requests  # noqa: PLC0415 - only who sends pays for it

        traffic.check(request)
        self._begin_step(timeout)
        try:
            pod = self.view.require_client()
            job = requests.job(self.view, pod, request, count)
        except BaseException:
            self._begin_step()
            raise

        def replies() -> Iterator[Reply]:
            try:
                left = self.kube.budget.left
                yield from requests.send(self.kube, target(pod), job, left, enough)
            finally:
                self._begin_step()

        return replies()

    def observe(self, request: Request, timeout: float) -> Observed:
        """Send a request once from the test client, and give what its sidecar says of it."""
        from meshdemo.engines.cluster import observation  # noqa: PLC0415 - only explain needs it

        traffic.check(request)
        self._begin_step(timeout)
        try:
            pod = self.view.require_client()
            return observation.observe(self.view, self.kube, pod, request, self.kube.budget.left)
        finally:
            self._begin_step()

    def files(self) -> dict[tuple[str, str, str, str], str]:
        """Know no file: the cluster holds the objects alone."""
        return {}

    def ejected(self) -> tuple[Ejected, ...]:
        """Give the endpoints that the test client's sidecar has ejected."""
        from meshdemo.engines import upstreams  # noqa: PLC0415 - only who looks for causes

        plane = data_plane.that_follows(self.view)
        return upstreams.ejected(plane.clusters()) if plane else ()

    def sync(self) -> Sync:
        """Ask istiod how far the test client's sidecar has what it sends."""
        from meshdemo.engines.cluster.istio import proxy_status  # noqa: PLC0415 - as above

        pod, find = self.view.require_client(), self._find_istioctl()
        if not pod.injected:
            return Sync()
        return proxy_status.sync(self.kube, f"{pod.name}.{pod.namespace}", find)

    def exec(self, argv: Sequence[str]) -> int:
        """Run a command of the user's in the test client; no command means a shell."""
        from meshdemo.engines.cluster.api import terminal  # noqa: PLC0415 - only exec needs it

        return terminal.run(self.kube, target(self.view.require_client()), argv)

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
        from meshdemo.engines.cluster.istio import access_log  # noqa: PLC0415 - only logs needs it
        from meshdemo.engines.cluster.pods import logs  # noqa: PLC0415 - as above

        where = Target(self.run, pod, container)
        if access:
            access_log.require(self.kube, self.run, self.view.root_namespace)
            found = logs.lines(self.kube, where, follow=follow, tail=tail if follow else -1)
            return access_log.only(found, tail=-1 if follow else tail)
        return logs.lines(self.kube, where, follow=follow, tail=tail)

    def proxy_url(self) -> str:
        """Refuse: there is no way into a cluster's pod from here."""
        raise UsageError(
            "only the local engine has a proxy URL",
            hint="On a cluster: meshdemo exec -- COMMAND, or meshdemo shell",
        )

    def down(self, *, everything: bool = False, force: bool = False) -> Iterator[Check]:
        """Remove what we made, and prove it gone; with ``everything`` also the Istio of ours."""
        self._begin_step()
        removal = self._removal()
        if not everything:
            yield from removal.everything()
            recorded_cluster.forget(self.settings, self.kube, self.run)
            return
        from meshdemo.engines.cluster.istio import uninstall  # noqa: PLC0415 - only down --all

        istio = uninstall.Removal(
            self.kube, self._find_istioctl(), self._goes_anyway(), self.notify,
            self.settings.timeout,
        )  # fmt: skip
        if not force:
            istio.refuse_if_used()
        yield from removal.everything()
        self._begin_step()
        yield from istio.run()
        recorded_cluster.forget(self.settings, self.kube, self.run)

    def _begin_step(self, seconds: float | None = None) -> None:
        """Give a step its time: what is read and applied for it has its part in that."""
        self.kube.budget.begin(seconds)

    def _find_istioctl(
        self,
        options: MeshOptions = MeshOptions(),  # noqa: B008 - it is frozen
    ) -> Callable[[ControlPlane | None], Istioctl]:
        from meshdemo.engines.cluster.istio.install import find_istioctl  # noqa: PLC0415 - few need it

        return lambda plane: find_istioctl(self.settings, self.kube, plane, options)

    def _kept_injected(self, objects: Sequence[Object], applier: Applier) -> tuple[Object, ...]:
        """Keep sidecars as they were chosen before, unless something else is asked for."""
        kept: dict[tuple[str, str, str, str], Object] = {}
        stripped: dict[str, list[Object]] = {}
        for item in objects:
            asked = sidecars.is_kube_injected(item) or sidecars.chosen(item)
            if not item.makes_pods or asked or not (found := applier.now(item)):
                continue
            live = Object(found)
            if sidecars.is_kube_injected(live):
                stripped.setdefault(sidecars.injected_revision(live), []).append(item)
            elif sidecars.chosen(live):
                kept[item.key] = sidecars.as_chosen_before(item, live)
        for revision, items in stripped.items():
            injected = self._inject(items, Injection.KUBE_INJECT, revision)
            kept |= {item.key: item for item in injected}
        return tuple(kept.get(item.key, item) for item in objects)

    def _odd(self, objects: Sequence[Object]) -> tuple[Problem, ...]:
        """Say what is odd about rules, by what can be seen of the namespace."""
        if not traffic_rules(objects):
            return ()
        return rule_warnings.warnings(objects, self.view.seen(), self.view.pods(), self.run)

    def _goes_anyway(self) -> Callable[[Json], bool]:
        """Tell what belongs to this run: rules by our label, pods by their workload."""
        mine = {
            (item["metadata"].get("namespace", ""), item["metadata"]["name"])
            for item in self._removal().ours()
            if item["kind"] in WORKLOAD_KINDS
        }
        return lambda live: (
            is_ours(live, self.run)
            or ((live["metadata"].get("namespace", ""), status.workload(live)) in mine)
        )

    def _removal(self) -> Removal:
        return Removal(self.kube, self.run, self.notify, self.settings.timeout)

    def _workload_readiness(self, timeout: float) -> WorkloadReadiness:
        deadline = time.monotonic() + timeout
        return WorkloadReadiness(
            self.kube,
            self.notify,
            deadline,
            lambda: control_plane.is_scaled_to_zero(self.kube),
        )

    def _sidecar_readiness(self, timeout: float) -> SidecarReadiness:
        return SidecarReadiness(self.kube, self.notify, time.monotonic() + timeout)


class _NoInjector:
    """Stands where istioctl is not needed."""

    def kube_inject(self, manifests: str, timeout: float) -> str:
        raise NotImplementedError
