"""Removing the Istio that we installed, unless somebody else lives by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.cluster.api.time_budget import OutOfTime
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.istio.control_plane import ADMISSION
from meshdemo.engines.cluster.istio.install import RIGHTS_HINT
from meshdemo.engines.cluster.istio.verification import CRD, CRDS
from meshdemo.engines.cluster.objects import foreign_objects
from meshdemo.engines.cluster.pods.status import is_injected
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.kinds import NETWORKING_API
from meshdemo.objects.model import RULE_KINDS
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.cluster.istio.install import FindIstioctl
    from meshdemo.engines.protocol import Notify

ROOT_CERTIFICATES = "istio.io/config=true"
"""The label of the ConfigMaps, such as its CA's certificate, that istiod writes everywhere. It
never takes them away again, nor does ``istioctl uninstall --purge``."""
INSTALLER = "install.operator.istio.io/owning-resource"
"""Label of the pods of a profile's own gateways, and not of a gateway that came otherwise."""
BASE = ("operator.istio.io/component", "Base")
"""Label of what istioctl installs once for all revisions, and keeps as long as there is one."""
ELECTION = "control-plane.alpha.kubernetes.io/leader"
"""Annotation of the ConfigMaps by which several istiods settle which of them leads."""
CA = "istio.io/ca-root"
"""Type of the Secret with the CA that istiod makes for itself; one of the user's has another."""


class Removal(Struct, frozen=True):
    """One ``meshdemo down --all``, as far as Istio is concerned."""

    kube: Kube
    find: FindIstioctl
    ours: Callable[[Json], bool]
    """Tells whether an object belongs to the run that goes down anyway."""
    notify: Notify
    timeout: float

    def refuse_if_used(self) -> None:
        """Raise EnvironmentFailed while somebody else's pods or rules need an Istio of ours."""
        records = self._records()
        if not records:
            return
        self._planes()  # who may not see them is told so before anything is removed
        places = {record["metadata"]["namespace"] for record in records}
        users: dict[str, list[str]] = {}
        for item in self._users(places):
            where, name = item["metadata"]["namespace"], item["metadata"]["name"]
            users.setdefault(where, []).append(f"{item['kind']} {name}")
        if not users:
            return
        listed = "\n".join(f"  {ns}: {', '.join(sorted(what))}" for ns, what in users.items())
        raise EnvironmentFailed(
            f"Istio is in use, so it is not removed:\n{listed}",
            hint="Remove these first, or leave Istio: meshdemo down without --all. --force "
            "removes it all the same; with it go the CRDs, and with them everybody's rules.",
        )

    def run(self) -> Iterator[Check]:
        """Remove each Istio that we installed, and check that nothing of it is left."""
        records = self._records()
        if not records:
            yield Check("no Istio of ours is installed", ok=True)
        for record in records:
            yield from self._remove(record)

    def _records(self) -> list[Json]:
        noted = self.kube.list("v1", "ConfigMap", labels=control_plane.INSTALLED)
        return [item for item in noted if item["metadata"]["name"] == control_plane.RECORD]

    def _planes(self) -> tuple[ControlPlane, ...]:
        """List what is installed; who removes without seeing it might remove somebody else's."""
        planes = control_plane.control_planes(self.kube)
        if planes is None:
            message = "not allowed to see which Istio is there, so none is removed"
            raise EnvironmentFailed(message, hint=RIGHTS_HINT)
        return planes

    def _users(self, places: set[str]) -> Iterator[Json]:
        """Give what needs Istio and stays; what is being deleted does neither.

        ``places`` are the namespaces in which Istios of ours have their gateways.
        """
        pods = (pod for pod in self.kube.list("v1", "Pod") if is_injected(pod))
        rules = (r for kind in reversed(RULE_KINDS) for r in self.kube.list(NETWORKING_API, kind))
        for item in (*(pod for pod in pods if not _is_gateway(pod, places)), *rules):
            if "deletionTimestamp" not in item["metadata"] and not self.ours(item):
                yield item

    def _remove(self, record: Json) -> Iterator[Check]:
        namespace, noted = record["metadata"]["namespace"], record.get("data") or {}
        foreign = [p for p in self._planes() if (p.namespace, p.revision) not in _noted(record)]
        alone = not foreign and noted.get("crdsBefore") != "yes"
        # Also of what broke off before there was an istiod, something may be there.
        ours = [control_plane.assumed(*each) for each in sorted(_noted(record))]
        for plane in ours[:1] if alone else ours:
            for line in self.find(plane).uninstall(purge=alone, timeout=self.timeout):
                self.notify(line)
        self.kube.delete("v1", "ConfigMap", control_plane.RECORD, namespace)
        yield self._gone("no istiod of ours is left", lambda: not self._istiods(record))
        if alone:
            yield self._gone("no webhook of Istio is left", self._no_webhooks)
            yield self._gone("no CRD of Istio is left", self._no_crds)
            yield self._remove_configuration(namespace)
        others = any(plane.namespace == namespace for plane in foreign)
        yield from self._remove_namespace(namespace, others=others)

    def _remove_configuration(self, namespace: str) -> Check:
        """Remove what istiod wrote into each namespace, once it cannot write it again."""
        pods = self._gone(
            "istiod has ended",
            lambda: not self.kube.list("v1", "Pod", namespace, labels=control_plane.ISTIOD),
        )
        if not pods.ok:
            return pods
        for item in self.kube.list("v1", "ConfigMap", labels=ROOT_CERTIFICATES):
            metadata = item["metadata"]
            self.kube.delete("v1", "ConfigMap", metadata["name"], metadata["namespace"])
        return Check("no ConfigMap of istiod is left", ok=True)

    def _remove_namespace(self, name: str, *, others: bool) -> Iterator[Check]:
        """Remove the namespace too, if it was made for this Istio."""
        found = self.kube.get("v1", "Namespace", name)
        metadata = (found or {}).get("metadata") or {}
        if others or control_plane.labels().items() - (metadata.get("labels") or {}).items():
            return
        known = foreign_objects.kinds(self.kube)
        around = foreign_objects.of(self.kube, known, name, _is_left_by_istio)
        if reason := around.against_removal(name):
            yield reason
            return
        seen = {"preconditions": {"uid": metadata["uid"]}}
        self.kube.delete("v1", "Namespace", name, options=seen)
        gone = self._gone(
            f"namespace {name} is gone", lambda: self.kube.get("v1", "Namespace", name) is None
        )
        yield gone

    def _istiods(self, record: Json) -> list[ControlPlane]:
        return [p for p in self._planes() if (p.namespace, p.revision) in _noted(record)]

    def _no_webhooks(self) -> bool:
        kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        return not any(
            self.kube.list(ADMISSION, kind, labels="app in (sidecar-injector, istiod)")
            for kind in kinds
        )

    def _no_crds(self) -> bool:
        """Tell whether the CRDs of the rules are gone, and no other one of Istio is still going."""
        crds = self.kube.list(CRD, "CustomResourceDefinition")
        return not any(
            item["metadata"]["name"] in CRDS or item["metadata"].get("deletionTimestamp")
            for item in crds
            if item["metadata"]["name"].endswith(".istio.io")
        )

    def _gone(self, name: str, probe: Callable[[], bool]) -> Check:
        try:
            waiting.until(probe, name, timeout=self.timeout)
        except OutOfTime:
            raise
        except TimedOut as error:
            hint = "Wait, and try again."
            return Check(name, ok=False, detail=error.message, hint=hint, late=True)
        return Check(name, ok=True)


def _noted(record: Json) -> set[tuple[str, str]]:
    """Give namespace and revision of what we installed, by our record."""
    namespace = record["metadata"]["namespace"]
    return {(namespace, name) for name in control_plane.revisions(record.get("data") or {})}


def _is_gateway(pod: Json, places: set[str]) -> bool:
    """Tell a gateway of our profile, which goes with Istio, from an application's pod."""
    metadata = pod["metadata"]
    return metadata["namespace"] in places and INSTALLER in (metadata.get("labels") or {})


def _is_left_by_istio(item: Json) -> bool:
    """Tell what Istio made for itself, and its removal leaves in its namespace."""
    metadata = item["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return (
        item.get("type") == CA
        or ELECTION in annotations
        or BASE in labels.items()
        or ROOT_CERTIFICATES in (f"{name}={value}" for name, value in labels.items())
    )
