"""What the cluster engine needs, as named facts: the article's requirements, and their heirs.

What one is not allowed to see is said so, and is not a failure: a student in a class sees little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from meshdemo.engines.cluster import istioctl_analyze
from meshdemo.engines.cluster.api.kube import Denied, Forbidden, Unauthenticated
from meshdemo.engines.cluster.istio import control_plane, install, istioctl, releases
from meshdemo.engines.cluster.istio.control_plane import ADMISSION
from meshdemo.engines.cluster.istio.verification import NOT_ALLOWED, Verification
from meshdemo.engines.cluster.namespace_view import View
from meshdemo.engines.cluster.pods import failure_causes
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.kinds import NETWORKING_API, NETWORKING_GROUP
from meshdemo.objects.labels import RUN_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.cluster.istio.istioctl import Istioctl
    from meshdemo.settings import Settings

CHECK_SECONDS = 2.0
"""How long doctor gives a check to come true: it looks, and does not wait."""
NAMESPACE_RIGHTS = (
    ("create", "", "services", ""),
    ("create", "apps", "deployments", ""),
    ("delete", "apps", "deployments", ""),
    ("list", "", "pods", ""),
    ("create", "", "pods", "exec"),
    ("get", "", "pods", "log"),
    ("create", NETWORKING_GROUP, "virtualservices", ""),
    ("create", NETWORKING_GROUP, "destinationrules", ""),
)
"""What deploy, route, verify and down do in the namespace: verb, group, resource, subresource."""
CLUSTER_RIGHTS = (
    ("create", "apiextensions.k8s.io", "customresourcedefinitions", ""),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("create", "", "namespaces", ""),
)
"""What ``istioctl install`` does."""
ENFORCE = "pod-security.kubernetes.io/enforce"
TOO_STRICT = ("baseline", "restricted")
"""Levels of Pod Security that refuse istio-init, which sets up iptables."""
OTHER_MESHES = {
    "linkerd": "Linkerd",
    "consul": "Consul",
    "kuma": "Kuma",
    "osm-": "Open Service Mesh",
}
LEFTOVERS = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    (NETWORKING_API, "VirtualService"),
    (NETWORKING_API, "DestinationRule"),
)


Answer: TypeAlias = "tuple[bool, str, str] | tuple[bool, str]"
"""Whether it holds, the detail, and the hint if there is one."""


@dataclass
class Doctor:
    """Looks at a cluster, and changes nothing."""

    kube: Kube
    settings: Settings
    namespace: str
    istioctl: Istioctl | None = field(default=None, init=False)

    def checks(self) -> Iterator[Check]:
        """Make all checks. Without an API server that knows us there are only the first ones."""
        answers = Check("the API server answers", ok=True, detail=self.kube.server)
        known = Check("the cluster knows who you are", ok=True)
        try:
            version = self.kube.version()
            known = replace(known, detail=self._name())
        except Unauthenticated as error:
            yield answers
            yield replace(known, ok=False, detail=error.message, hint=error.hint)
            return
        except EnvironmentFailed as error:
            yield replace(answers, ok=False, detail=error.message, hint=error.hint)
            return
        yield answers
        yield known
        yield from self._istioctl(version)
        yield from self._seen(
            {
                f"one may deploy, route and verify in namespace {self.namespace}": self._rights,
                "one may install Istio": self._rights_everywhere,
                "istioctl may reach istiod for kube-inject": self._kube_inject_right,
                "admission webhooks are served": self._admission,
            }
        )
        yield from self._mesh()
        if self.plane and self.istioctl:
            found = istioctl_analyze.of_namespace(self.namespace, self.istioctl)
            yield Check("what istioctl analyze finds is known", ok=True, detail=found)
        yield from self._seen(
            {
                "no other mesh is there": self._other_meshes,
                "images can be pulled": self._images,
                "nodes can forward ports": self._runtime,
                "Pod Security allows sidecars here": self._pod_security,
                "rules of other namespaces for services here are known": self._rules_elsewhere,
                "what an earlier run left is known": self._leftovers,
            }
        )

    def _seen(self, checks: Mapping[str, Callable[[], Answer]]) -> Iterator[Check]:
        """Make checks; what one may not see is not a failure."""
        for name, check in checks.items():
            try:
                yield Check(name, *check())
            except Forbidden:
                yield Check(name, ok=True, detail=NOT_ALLOWED)

    def _name(self) -> str:
        """Ask by which name the cluster knows us; one before 1.28 cannot say."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            status = self.kube.create(review).get("status") or {}
        except Denied:
            return ""
        return str((status.get("userInfo") or {}).get("username", ""))

    @cached_property
    def planes(self) -> tuple[ControlPlane, ...] | None:
        """The Istio that is there; None where one may not see it."""
        return control_plane.control_planes(self.kube)

    @cached_property
    def plane(self) -> ControlPlane | None:
        """The one that would be used."""
        try:
            return control_plane.choose(self.planes or ())
        except EnvironmentFailed:
            return None

    def _istioctl(self, server: Mapping[str, Any]) -> Iterator[Check]:
        """Look for istioctl, and compare it with the cluster and the mesh."""
        git = server.get("gitVersion", "")
        try:
            ctl = self.istioctl = install.find_istioctl(self.settings, self.kube, self.plane)
        except EnvironmentFailed as error:
            yield Check("istioctl is found", ok=False, detail=error.message, hint=error.hint)
            yield Check("the Kubernetes version is known", ok=True, detail=git)
            return
        found = ctl.found
        yield Check(
            "istioctl is found", ok=True, detail=f"{found.version}, {found.path} ({found.source})"
        )
        yield _supported(server, found)
        if self.plane and self.plane.version:
            yield Check("istioctl fits the Istio that is there", *install.skew(ctl, self.plane))

    def _rights(self) -> Answer:
        missing = self._missing(NAMESPACE_RIGHTS, self.namespace)
        hint = "Ask the cluster's administrator; manifests/rbac/student.yaml has what it takes."
        return not missing, f"not allowed: {missing}" if missing else "", hint

    def _rights_everywhere(self) -> Answer:
        missing = self._missing(CLUSTER_RIGHTS, "")
        if missing and self.planes != ():
            return True, "not allowed, and not needed: Istio is there"
        hint = "To install Istio takes an administrator's rights (cluster-admin)."
        return not missing, f"not allowed: {missing}" if missing else "", hint

    def _kube_inject_right(self) -> Answer:
        place = self.plane.namespace if self.plane else istioctl.DEFAULT_NAMESPACE
        allowed = self.kube.can_i("create", "pods", subresource="portforward", namespace=place)
        return True, "" if allowed else f"no pods/portforward in {place}: say --injection auto"

    def _missing(self, wanted: tuple[tuple[str, str, str, str], ...], namespace: str) -> str:
        try:
            return ", ".join(
                f"{verb} {resource}{'/' if sub else ''}{sub}"
                for verb, group, resource, sub in wanted
                if not self.kube.can_i(
                    verb, resource, group=group, namespace=namespace, subresource=sub
                )
            )
        except Forbidden as error:  # every user of a cluster may ask that
            return f"even to ask: {error.message}"

    def _admission(self) -> Answer:
        """See that the API server has the webhooks' kinds; whether it calls them, Istio shows."""
        kinds = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        missing = [kind for kind in kinds if self.kube.resource(ADMISSION, kind) is None]
        hint = (
            "Add MutatingAdmissionWebhook and ValidatingAdmissionWebhook to "
            "--enable-admission-plugins of kube-apiserver; they are on since Kubernetes 1.9."
        )
        return not missing, f"missing: {', '.join(missing)}" if missing else "", hint

    def _mesh(self) -> Iterator[Check]:
        if self.planes is None:
            yield Check("Istio is there", ok=True, detail=NOT_ALLOWED)
            plane = control_plane.assumed()
            yield from Verification(self.kube, plane, namespace=self.namespace).webhook_checks()
            return
        if not self.planes:
            yield Check(
                "Istio is there", ok=True, detail="not yet: meshdemo install, or meshdemo up"
            )
            return
        titles = "; ".join(plane.title for plane in self.planes)
        unsure = "" if self.plane else "; none is the default: say which one with --revision"
        yield Check("Istio is there", ok=True, detail=titles + unsure)
        if self.plane:
            verification = Verification(self.kube, self.plane, namespace=self.namespace)
            yield from verification.checks(CHECK_SECONDS)

    def _other_meshes(self) -> Answer:
        hooks = self.kube.list(ADMISSION, "MutatingWebhookConfiguration")
        names = [hook["metadata"]["name"] for hook in hooks]
        others = {
            mesh for name in names for part, mesh in OTHER_MESHES.items() if name.startswith(part)
        }
        hint = "Two meshes in one namespace fight over its pods: choose another with -n."
        return not others, ", ".join(sorted(others)), hint

    def _images(self) -> Answer:
        failed = {
            state["image"]: state["state"]["waiting"].get("message", "")
            for pod in self.kube.list("v1", "Pod", self.namespace)
            for state in _container_states(pod)
            if ((state.get("state") or {}).get("waiting") or {}).get("reason")
            in failure_causes.PULL
        }
        detail = "\n".join(f"{image}: {why}" for image, why in failed.items())
        hint = "Name a registry that the nodes reach: --image-registry, or --image NAME=IMAGE."
        return not failed, detail, hint

    def _runtime(self) -> Answer:
        """Say whether nodes need socat for port-forward: only Docker's shim still does."""
        runtimes = {
            item["status"]["nodeInfo"]["containerRuntimeVersion"]
            for item in self.kube.list("v1", "Node")
        }
        if docker := [runtime for runtime in runtimes if runtime.startswith("docker:")]:
            return True, f"{docker[0]} (dockershim): each node needs socat, for kube-inject"
        return True, f"{', '.join(sorted(runtimes))}: no socat needed"

    def _pod_security(self) -> Answer:
        found = self.kube.get("v1", "Namespace", self.namespace)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        level = labels.get(ENFORCE, "")
        cni = level in TOO_STRICT and self.kube.list(
            "apps/v1", "DaemonSet", labels="k8s-app=istio-cni-node"
        )
        detail = f"namespace {self.namespace} enforces {level}" if level else "nothing is enforced"
        hint = "Choose another namespace with -n, or install Istio with its CNI node agent."
        return level not in TOO_STRICT or bool(cni), detail, hint

    def _rules_elsewhere(self) -> Answer:
        """Look for what decides on traffic here and is easily overlooked."""
        view = View(self.kube, self.namespace)
        found = view.from_elsewhere(view.seen())
        if found is None:
            return True, f"{NOT_ALLOWED}; if there are some, verify does not take them into account"
        return True, ", ".join(rule.title for rule in found) or "none"

    def _leftovers(self) -> Answer:
        there = [
            f"{kind} {item['metadata']['name']}"
            for version, kind in LEFTOVERS
            for item in self.kube.list(version, kind, self.namespace, labels=RUN_LABEL)
        ]
        return True, f"{', '.join(there)} (meshdemo down removes them)" if there else "nothing"


def _supported(server: Mapping[str, Any], found: istioctl.Found) -> Check:
    """Compare the cluster's version with what this istioctl supports."""
    minor = int((re.match(r"\d+", str(server.get("minor", ""))) or ["0"])[0])
    first, last = found.release.kubernetes
    detail = f"{server.get('gitVersion')}; Istio {found.release} supports 1.{first} to 1.{last}"
    newest = releases.newest_for(minor)
    hint = f"Istio {newest} supports it. {istioctl.ways_out(f'{newest}.0', instead=True)}"
    if newest is None:
        hint = "No release of Istio that this meshdemo knows does; it may work all the same."
    name = "the Kubernetes version is supported"
    return Check(name, found.release.supports(minor), detail, hint)


def _container_states(pod: Json) -> Iterator[Json]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()
