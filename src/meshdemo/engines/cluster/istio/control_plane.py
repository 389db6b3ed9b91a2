"""Which Istio is in the cluster: its control planes, and who installed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from meshdemo.engines.cluster.api.kube import Forbidden
from meshdemo.engines.cluster.istio import istioctl
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.labels import INJECTION_LABEL, MANAGED_BY, REVISION_LABEL, TAG_LABEL
from meshdemo.objects.model import RULE_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.cluster.api.kube import Kube

ADMISSION = "admissionregistration.k8s.io/v1"
ISTIOD = "app=istiod"
INJECTOR = "app=sidecar-injector"
MESH_CONFIG = "istio"
"""The ConfigMap beside istiod with the settings of the mesh."""
RECORD = "meshdemo-istio"
"""The ConfigMap beside istiod that says that we installed it."""
INSTALLED = "meshdemo.dev/istio=installed"
"""Our label on that and on its namespace; a run's own label would mean a namespace of any name."""
VARIANTS = ("-distroless", "-debug")


class ControlPlane(Struct, frozen=True):
    """One istiod."""

    name: str
    namespace: str
    revision: str
    version: str
    """By its image; empty where the image is named by a digest alone."""
    replicas: int
    available: int
    rolled_out: bool
    """Whether all of its pods are those of its newest version, and available."""

    @property
    def title(self) -> str:
        """How messages call it."""
        version = f" {self.version}" if self.version else ""
        return f"Istio{version}, revision {self.revision}, in {self.namespace}"

    @property
    def next_step(self) -> str:
        """What to type when it does not run."""
        kubectl = f"kubectl -n {self.namespace}"
        if not self.replicas:
            return f"It is scaled to zero: {kubectl} scale deployment/{self.name} --replicas=1"
        return f"{kubectl} describe pods -l {ISTIOD}"


def control_planes(kube: Kube) -> tuple[ControlPlane, ...] | None:
    """List what is installed; None where one is not allowed to see it."""
    try:
        return tuple(map(_plane, kube.list("apps/v1", "Deployment", labels=ISTIOD)))
    except Forbidden:
        return None


def is_scaled_to_zero(kube: Kube) -> bool:
    """Tell whether an istiod has no replicas: then it does not come back by itself."""
    return any(not plane.replicas for plane in control_planes(kube) or ())


def served_revisions(kube: Kube) -> frozenset[str] | None:
    """Name the revisions, tags among them, that have a webhook; None where one may not see it."""
    try:
        hooks = kube.list(ADMISSION, "MutatingWebhookConfiguration", labels=INJECTOR)
    except Forbidden:
        return None
    found = [hook["metadata"].get("labels") or {} for hook in hooks]
    names = (REVISION_LABEL, TAG_LABEL)
    return frozenset(each[name] for each in found for name in names if name in each)


def kept_out_by(namespace: Mapping[str, str], served: frozenset[str] | None) -> str:
    """Say by which label of a namespace no webhook injects there; empty if none keeps it away.

    ``served`` are the revisions that have a webhook; None where one may not see them.
    """
    own, revision = namespace.get(INJECTION_LABEL), namespace.get(REVISION_LABEL)
    # Where both labels are set, the webhooks of revisions leave the namespace alone.
    if own is not None:
        return "" if own == "enabled" else f"{INJECTION_LABEL}={own}"
    if revision is None or served is None or revision in served:
        return ""
    return f"{REVISION_LABEL}={revision}, a revision that is not there"


def choose(planes: Sequence[ControlPlane], revision: str = "") -> ControlPlane | None:
    """Choose the control plane of a revision; unless one is named, the default or only one."""
    if revision:
        return next((plane for plane in planes if plane.revision == revision), None)
    default = [plane for plane in planes if plane.revision == istioctl.DEFAULT_REVISION]
    if default or len(planes) == 1:
        return (default or list(planes))[0]
    if not planes:
        return None
    names = ", ".join(plane.revision for plane in planes)
    raise EnvironmentFailed(
        f"there are several revisions of Istio, and none is the default: {names}",
        hint="Choose one with --revision.",
    )


def root_namespace(planes: Sequence[ControlPlane] | None) -> str:
    """Give the root namespace, which is that of istiod; the usual one where one cannot tell."""
    try:
        plane = choose(planes or ())
    except EnvironmentFailed:  # the sidecars of a namespace do not say which one is theirs
        plane = None
    return plane.namespace if plane else istioctl.DEFAULT_NAMESPACE


def mesh_settings(kube: Kube, namespace: str) -> dict[str, Any]:
    """Give the settings of the mesh; none where they cannot be read as any. Raises Forbidden."""
    found = kube.get("v1", "ConfigMap", MESH_CONFIG, namespace) or {}
    try:
        mesh = yaml.safe_load((found.get("data") or {}).get("mesh") or "")
    except yaml.YAMLError:
        return {}
    return mesh if isinstance(mesh, dict) else {}


def default_exports(kube: Kube, namespace: str) -> dict[str, list[str]]:
    """Give, by kind, to whom rules are exported that say nothing of it; empty is everybody.

    That is in Istio's configuration, which an administrator of a class may have narrowed; of one
    that may not be read, or of a revision's own, it is taken to be as usual.
    """
    try:
        named = mesh_settings(kube, namespace)
    except Forbidden:
        return {}
    exports = {kind: named.get(f"default{kind}ExportTo") for kind in RULE_KINDS}
    return {kind: [str(v) for v in value] for kind, value in exports.items() if value}


def no_such_revision(planes: Sequence[ControlPlane], revision: str) -> EnvironmentFailed:
    """Say that a revision is not among those that are there."""
    there = "; ".join(plane.title for plane in planes)
    return EnvironmentFailed(
        f"there is no revision {revision}; there is {there}",
        hint="Leave out --revision to use what is there, or install it beside that: "
        f"meshdemo install --revision {revision} --force",
    )


def assumed(namespace: str = "", revision: str = "") -> ControlPlane:
    """Give the control plane that must be there, where one may not look for it."""
    return ControlPlane(
        name="istiod",
        namespace=namespace or istioctl.DEFAULT_NAMESPACE,
        revision=revision or istioctl.DEFAULT_REVISION,
        version="",
        replicas=1,
        available=1,
        rolled_out=True,
    )


def record(kube: Kube, namespace: str) -> dict[str, str] | None:
    """Give what we noted when we installed the Istio of a namespace; None if we did not."""
    try:
        found = kube.get("v1", "ConfigMap", RECORD, namespace)
    except Forbidden:
        return None
    return dict(found.get("data") or {}) if found else None


def labels() -> dict[str, str]:
    """Give the labels of what we make for an Istio of ours."""
    name, _, value = INSTALLED.partition("=")
    return {name: value, MANAGED_BY: "meshdemo"}


def revisions(noted: Mapping[str, str]) -> list[str]:
    """List the revisions that a record says are ours."""
    return noted.get("revisions", "").split()


def is_unfinished(kube: Kube, plane: ControlPlane) -> bool:
    """Tell whether we began to install a control plane, and did not come to the end."""
    return plane.revision == (record(kube, plane.namespace) or {}).get("unfinished")


def is_ours(kube: Kube, plane: ControlPlane) -> bool:
    """Tell whether we installed a control plane."""
    return plane.revision in revisions(record(kube, plane.namespace) or {})


def image_version(image: str) -> str:
    """Read the version out of an image's tag, without the variant; empty if it has no tag."""
    _, colon, tag = image.partition("@")[0].rpartition(":")
    # The colon may be that of the registry's port: localhost:5000/pilot.
    if not colon or "/" in tag:
        return ""
    for variant in VARIANTS:
        tag = tag.removesuffix(variant)
    return tag


def _plane(deployment: Mapping[str, Any]) -> ControlPlane:
    metadata, spec = deployment["metadata"], deployment["spec"]
    status = deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    available = status.get("availableReplicas") or 0
    # Right after a change the status is still that of the former generation.
    current = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    updated = status.get("updatedReplicas") or 0
    return ControlPlane(
        name=metadata["name"],
        namespace=metadata["namespace"],
        revision=(metadata.get("labels") or {}).get(REVISION_LABEL) or istioctl.DEFAULT_REVISION,
        version=image_version(spec["template"]["spec"]["containers"][0].get("image", "")),
        replicas=wanted,
        available=available,
        rolled_out=current and 0 < wanted <= min(available, updated),
    )
