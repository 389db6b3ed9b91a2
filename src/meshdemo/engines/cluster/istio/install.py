"""Installing Istio, and removing what we installed: noted in the cluster, never in a local file."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from meshdemo.engines.cluster.api.kube import Forbidden
from meshdemo.engines.cluster.istio import control_plane, istioctl
from meshdemo.engines.cluster.istio.istioctl import Istioctl
from meshdemo.engines.cluster.istio.releases import can_be_fetched, release_of
from meshdemo.engines.cluster.istio.verification import CRD, CRDS, NOT_ASKED, Verification
from meshdemo.engines.options import MeshOptions
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.protocol import Notify
    from meshdemo.settings import Settings

SETTLING = 30.0
"""Seconds that webhooks may take after istiod is there, in which it writes their certificates."""
SILENCE_SECONDS = 30.0
"""How long a host that serves istioctl may say nothing."""
BROKEN_HINT = "Look at it with meshdemo doctor, or install it anew: meshdemo install --force"
RIGHTS_HINT = "To install Istio takes an administrator's rights: meshdemo doctor"
HINTS = {
    r"ImagePull|ErrImage": "Use a registry that the nodes reach: --istio-set hub=REGISTRY/istio",
    r"deadline exceeded|not ready after": "Give it longer: --timeout 10m. kubectl get pods -A "
    "says what it waits for.",
    r"forbidden": RIGHTS_HINT,
}


FindIstioctl: TypeAlias = "Callable[[ControlPlane | None], Istioctl]"
"""Finds istioctl for a control plane, or for the one to be. Raises EnvironmentFailed."""


def found_or_fetched(settings: Settings, options: MeshOptions, mesh: str = "") -> istioctl.Found:
    """Find istioctl, or fetch the one that is asked for; no cluster is asked."""
    if not options.download:
        return istioctl.find(settings.istioctl, mesh=mesh)
    from meshdemo.engines.cluster.istio import download  # noqa: PLC0415 - few download

    path = download.fetch(options.download, download.cache(), SILENCE_SECONDS)
    return istioctl.probe(path, "--download-istioctl", mesh)


def find_istioctl(
    settings: Settings,
    kube: Kube,
    plane: ControlPlane | None = None,
    options: MeshOptions = MeshOptions(),  # noqa: B008 - it is frozen
) -> Istioctl:
    """Find istioctl, or fetch the one that ``options`` ask for, and point it at the cluster."""
    found = found_or_fetched(settings, options, plane.version if plane else "")
    cluster = ["--kubeconfig", kube.kubeconfig] if kube.kubeconfig else []
    cluster += [] if kube.in_cluster else ["--context", kube.context]
    return Istioctl(
        found,
        tuple(cluster),
        plane.namespace if plane else options.namespace or istioctl.DEFAULT_NAMESPACE,
        plane.revision if plane else options.revision or istioctl.DEFAULT_REVISION,
    )


class Installation(Struct, frozen=True):
    """One ``meshdemo install``: what is asked for, and where."""

    kube: Kube
    options: MeshOptions
    find: FindIstioctl
    notify: Notify
    timeout: float
    namespace: str = field(default="default")
    """Where the user works."""

    def run(self) -> Iterator[Check]:
        """Use the Istio that is there, or install one; then verify it."""
        planes = control_plane.control_planes(self.kube)
        if planes is None:
            yield from self._unseen()
            return
        there = control_plane.choose(planes, self.options.revision)
        if planes and there is None and not self.options.force:
            raise control_plane.no_such_revision(planes, self.options.revision)
        if there and not self._may_change(there):
            yield from self._as_it_is(there)
            return
        yield from self._install(there)

    def _may_change(self, there: ControlPlane) -> bool:
        """Tell whether istioctl may run: asked for, or to end what we once began."""
        if self.options.force or not control_plane.is_unfinished(self.kube, there):
            return self.options.force
        return not self._is_whole_by_now(there)

    def _is_whole_by_now(self, plane: ControlPlane) -> bool:
        """Tell whether what broke off was ended by others, whose options we must not undo."""
        verification = Verification(self.kube, plane, namespace=self.namespace)
        if not all(check.ok for check in verification.checks(0)):
            return False
        with suppress(Forbidden):  # then it is found whole once more the next time
            self._note(plane.namespace, {"unfinished": ""})
        self.notify(
            "The last meshdemo install broke off, but this Istio is healthy by now: it is used as "
            "it is. To install it again: meshdemo install --force",
            lasting=True,
        )
        return True

    def _as_it_is(self, plane: ControlPlane) -> Iterator[Check]:
        if not plane.rolled_out:
            detail = f"{plane.title}: {plane.available} of {plane.replicas} available"
            yield Check(
                "the Istio that is there is healthy",
                ok=False,
                detail=detail,
                hint=f"{plane.next_step}\n{BROKEN_HINT}",
            )
            return
        # Both webhooks are istiod itself: when they answer, it need not be asked once more.
        verification = Verification(self.kube, plane, namespace=self.namespace)
        yield from verification.checks(SETTLING)
        self._warn_of_skew(plane)
        self._tell_idle_options(plane)
        yield Check("Istio is there", ok=True, detail=f"{plane.title}, used as it is")

    def _tell_idle_options(self, plane: ControlPlane) -> None:
        """Say which options are for nothing now; no warning, they may be those of the install."""
        options = self.options
        given = {
            "--istio-profile": options.profile,
            "--istio-set": options.settings,
            "--istio-file": options.files,
            "--istio-namespace": options.namespace not in ("", plane.namespace),
        }
        if names := ", ".join(name for name, value in given.items() if value):
            self.notify(
                f"Istio is already installed and is used as it is: no effect of {names}. "
                "To change it: meshdemo install --force, with them",
                lasting=True,
            )

    def _warn_of_skew(self, plane: ControlPlane) -> None:
        """Say that istioctl is far from the Istio that is there, which does not need it.

        Who needs one, to inject with, says so where there is none.
        """
        try:
            ctl = self._istioctl(plane)
        except EnvironmentFailed:
            if self.options.download:
                raise
            return
        fits, detail, hint = skew(ctl, plane)
        if not fits:
            said = f"warning: {detail}: Istio supports them one minor apart. {hint}"
            self.notify(said, always=True)

    def _istioctl(self, plane: ControlPlane | None) -> Istioctl:
        """Find or fetch istioctl; say it if the next command would take another one."""
        ctl = self.find(plane)
        if not self.options.download:
            return ctl
        first = istioctl.foremost()
        if first and str(first[0]) != ctl.found.path:
            path, source = ctl.found.path, first[1]
            self.notify(
                f"istioctl {ctl.found.version} is at {path}. The next command takes the one of "
                f"{source}, unless you name it: --istioctl {path} "
                f"or {istioctl.ISTIOCTL_VARIABLE}={path}",
                always=True,
            )
        return ctl

    def _unseen(self) -> Iterator[Check]:
        """Go by the webhooks alone, for who may see no more."""
        plane = control_plane.assumed(self.options.namespace, self.options.revision)
        verification = Verification(self.kube, plane, namespace=self.namespace)
        checks = tuple(verification.webhook_checks())
        yield from checks
        name = "Istio may be seen, or asked for"
        if self.options.force:
            detail = "not allowed to see what --force would change"
            yield Check(name, ok=False, detail=detail, hint=RIGHTS_HINT)
        elif all(check.detail.startswith(NOT_ASKED) for check in checks):
            yield Check(name, ok=False, detail="neither is allowed", hint=RIGHTS_HINT)

    def _install(self, there: ControlPlane | None) -> Iterator[Check]:
        ctl = self._istioctl(there)
        found = ctl.found
        yield Check(
            "istioctl is found", ok=True, detail=f"{found.version}, {found.path} ({found.source})"
        )
        # Who changes an Istio of somebody else, by force, does not own it.
        ours = there is None or control_plane.is_ours(self.kube, there)
        if ours:
            self._record(ctl)
        began = time.monotonic()
        try:
            for line in ctl.install(self.options, self.timeout):
                self.notify(line, lasting=True)
        except shell.CommandFailed as error:
            detail, hint = _reason(error)
            yield Check("istioctl install succeeds", ok=False, detail=detail, hint=hint)
            return
        self.kube.budget.begin()  # what is left to do is to look at it
        if ours:
            self._note(ctl.namespace, {"unfinished": ""})
        took = f"in {time.monotonic() - began:.1f} s"
        yield Check("istioctl install succeeds", ok=True, detail=took)
        planes = control_plane.control_planes(self.kube) or ()
        plane = control_plane.choose(planes, self.options.revision or istioctl.DEFAULT_REVISION)
        if plane is None:
            # A profile without istiod, such as remote or empty: there is no more to look at.
            yield Check(
                "istiod is rolled out", ok=False, detail="the profile has none", hint=BROKEN_HINT
            )
            return
        yield from Verification(self.kube, plane, ctl, self.namespace).checks(SETTLING)

    def _record(self, ctl: Istioctl) -> None:
        """Note in the cluster that this Istio is ours, before the first change.

        What was there before us is not ours to remove: the namespace, and the CRDs.
        """
        if self.kube.get("v1", "Namespace", ctl.namespace) is None:
            metadata = {"name": ctl.namespace, "labels": control_plane.labels()}
            self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        noted = control_plane.record(self.kube, ctl.namespace)
        if noted is not None:
            revisions = dict.fromkeys([*control_plane.revisions(noted), ctl.revision])
            began = {"revisions": " ".join(revisions), "unfinished": ctl.revision}
            self._note(ctl.namespace, began)
            return
        had_crds = any(self.kube.get(CRD, "CustomResourceDefinition", name) for name in CRDS)
        self.kube.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": control_plane.RECORD,
                    "namespace": ctl.namespace,
                    "labels": control_plane.labels(),
                },
                "data": {
                    "revisions": ctl.revision,
                    "unfinished": ctl.revision,
                    "crdsBefore": "yes" if had_crds else "no",
                },
            }
        )

    def _note(self, namespace: str, data: dict[str, str]) -> None:
        self.kube.patch("v1", "ConfigMap", control_plane.RECORD, {"data": data}, namespace)


def skew(ctl: Istioctl, plane: ControlPlane) -> tuple[bool, str, str]:
    """Say whether an istioctl fits a control plane: at most one minor apart."""
    release = release_of(plane.version)
    apart = abs(ctl.found.release.minor - release.minor) if release else 0
    detail = f"istioctl {ctl.found.version}, istiod {plane.version}"
    if can_be_fetched(plane.version):
        return apart <= 1, detail, istioctl.ways_out(plane.version, instead=True)
    hint = f"Of a build like this none can be fetched: name one of {release} with --istioctl."
    return apart <= 1, detail, hint


def _reason(error: shell.CommandFailed) -> tuple[str, str]:
    """Pick the cause out of what a failed istioctl said, and what to do about it."""
    cause = error.output.rpartition("Error: ")[2].strip() or error.message
    hint = next((h for pattern, h in HINTS.items() if re.search(pattern, cause)), BROKEN_HINT)
    return cause, hint
