"""Is this Istio whole? Named checks that hold on every release.

``verify-install`` is gone since 1.24, and ``install --verify`` does nothing since: so the objects
are looked at, and the two webhooks are asked with objects that are never stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.cluster.api.kube import Denied, Forbidden, NotFound
from meshdemo.engines.cluster.api.time_budget import OutOfTime
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.istio.control_plane import ADMISSION, ControlPlane, image_version
from meshdemo.engines.cluster.istio.istioctl import DEFAULT_REVISION, Istioctl, Versions
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.objects.kinds import NETWORKING_API
from meshdemo.objects.labels import INJECT_LABEL, REVISION_LABEL
from meshdemo.objects.model import RULE_KINDS
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meshdemo.engines.cluster.api.kube import Json, Kube

CRD = "apiextensions.k8s.io/v1"
CRDS = ("destinationrules.networking.istio.io", "virtualservices.networking.istio.io")
GATEWAYS = "istio in (ingressgateway, egressgateway)"
NOT_ALLOWED, NOT_ASKED = "not allowed to see", "not allowed to ask"
ANYWHERE = "default"
"""A namespace that every cluster has."""
PROBE = "meshdemo-probe"
"""Name of the objects that the webhooks are asked with; no such object is ever stored."""
AGAIN = "Install it anew: meshdemo install --force"
WEBHOOK_HINT = (
    "istiod answers webhooks on its port 15017: is it Ready, and may the API server reach the "
    "nodes there? (A private GKE or EKS cluster needs a firewall rule for it.)"
)


class Verification(Struct, frozen=True):
    """What is needed to look at one control plane."""

    kube: Kube
    plane: ControlPlane
    istioctl: Istioctl | None = None
    """None where there is none: then istiod is not asked for its version."""
    namespace: str = ANYWHERE
    """Where the probes would live, if they were stored."""

    def checks(self, timeout: float) -> Iterator[Check]:
        """Make all checks; each may take ``timeout`` seconds to come true.

        Without an istiod the others would only say so again.
        """
        rolled_out = settled(self.rolled_out, timeout)
        yield rolled_out
        if not rolled_out.ok:
            return
        if not self.istioctl:
            yield from self._objects(timeout)
            return
        # It takes as long as all the others together.
        with self.istioctl.asking_versions() as versions:
            yield from self._objects(timeout)
            yield self._answers(versions)
        if self.istioctl.found.release.has_verify_install:
            yield _verified(self.istioctl)

    def _objects(self, timeout: float) -> Iterator[Check]:
        """Make the checks that only the API server is asked for."""
        for check in (self.crds, self.webhooks, self.injects, self.validates, self.gateways):
            yield settled(check, timeout)

    def webhook_checks(self) -> Iterator[Check]:
        """Make the checks for which one needs to see nothing of Istio."""
        yield self.validates()
        yield self.injects()

    def rolled_out(self) -> Check:
        """See that istiod runs, in its newest version."""
        planes = control_plane.control_planes(self.kube)
        name = "istiod is rolled out"
        if planes is None:
            return Check(name, ok=True, detail=NOT_ALLOWED)
        plane = control_plane.choose(planes, self.plane.revision)
        if plane is None:
            return Check(name, ok=False, detail="there is none", hint=AGAIN)
        detail = f"{plane.title}, {plane.available} of {plane.replicas} available"
        hint = "" if plane.rolled_out else _why_not(self.kube, plane)
        return Check(name, plane.rolled_out, detail, hint)

    def crds(self) -> Check:
        """See that the kinds of the rules are served."""
        name = "Istio's CRDs are established"
        try:
            found = {crd: self.kube.get(CRD, "CustomResourceDefinition", crd) for crd in CRDS}
        except Forbidden:
            served = all(self.kube.resource(NETWORKING_API, kind) for kind in RULE_KINDS)
            return Check(name, served, NOT_ALLOWED, AGAIN)
        missing = [crd for crd, data in found.items() if not _established(data)]
        detail = f"not so: {', '.join(missing)}" if missing else ", ".join(CRDS)
        return Check(name, not missing, detail, AGAIN)

    def webhooks(self) -> Check:
        """See that the API server knows the certificate of both webhooks."""
        name = "the webhooks have a CA bundle"
        try:
            found = self._own_webhooks()
        except Forbidden:
            return Check(name, ok=True, detail=NOT_ALLOWED)
        missing = [kind for kind, hooks in found.items() if not hooks]
        if missing:  # nobody but istioctl makes them again
            detail = f"missing: {', '.join(missing)}"
            return Check(name, ok=False, detail=detail, hint=AGAIN, final=True)
        bare = [
            hook["name"]
            for hooks in found.values()
            for hook in hooks
            if not (hook.get("clientConfig") or {}).get("caBundle")
        ]
        return Check(name, not bare, ", ".join(bare) or "both", WEBHOOK_HINT)

    def injects(self) -> Check:
        """See that a pod that asks for a sidecar gets the one of this control plane."""
        name = "a pod that asks for a sidecar gets one"
        try:
            pod = self._probe(probe_pod(self.namespace, self.plane.revision))
        except Forbidden as error:
            return Check(name, ok=True, detail=f"{NOT_ASKED}: {error.message}")
        except Denied as error:
            return Check(name, ok=False, detail=error.message, hint=WEBHOOK_HINT)
        proxy = sidecar(pod)
        if proxy is None and (why := self._kept_out_by()):
            return self._injects_elsewhere(name, f"not in namespace {self.namespace}: {why}")
        if proxy is None:
            return Check(name, ok=False, detail="no webhook answered", hint=WEBHOOK_HINT)
        version = image_version(proxy["image"])
        kind = "native" if proxy in (pod["spec"].get("initContainers") or ()) else "a container"
        detail = f"{kind}, {proxy['image']}"
        if self.plane.version and version and version != self.plane.version:
            hint = f"istiod is {self.plane.version}: {AGAIN}"
            return Check("the sidecar is as new as istiod", ok=False, detail=detail, hint=hint)
        return Check(name, ok=True, detail=detail)

    def validates(self) -> Check:
        """See that a wrong rule is refused, by Istio."""
        name = "a wrong rule is refused"
        try:
            self._probe(probe_rule(self.namespace))
        except Forbidden as error:
            return Check(name, ok=True, detail=f"{NOT_ASKED}: {error.message}")
        except Denied as error:
            by_istio = "validation.istio.io" in error.message and "denied" in error.message
            return Check(name, by_istio, "" if by_istio else error.message, WEBHOOK_HINT)
        return Check(name, ok=False, detail="it was accepted", hint=WEBHOOK_HINT)

    def gateways(self) -> Check:
        """See that the gateways of the profile run, if it has some."""
        name = "the profile's gateways are available"
        try:
            found = self.kube.list("apps/v1", "Deployment", self.plane.namespace, labels=GATEWAYS)
        except Forbidden:
            return Check(name, ok=True, detail=NOT_ALLOWED)
        names = [item["metadata"]["name"] for item in found]
        down = [n for n, item in zip(names, found, strict=True) if not _available(item)]
        detail = f"not so: {', '.join(down)}" if down else ", ".join(names) or "it has none"
        return Check(name, not down, detail, f"kubectl -n {self.plane.namespace} get pods")

    def _probe(self, data: Json) -> Json:
        """Have an object judged as if it were created; without its namespace, elsewhere."""
        try:
            return self.kube.create(data, dry_run=True)
        except NotFound:
            if self.namespace == ANYWHERE:
                raise
            metadata = {**data["metadata"], "namespace": ANYWHERE}
            return self.kube.create({**data, "metadata": metadata}, dry_run=True)

    def _injects_elsewhere(self, name: str, here: str) -> Check:
        """Ask once more where no label forbids it; that it is not here is not Istio's fault."""
        if self.namespace == ANYWHERE:
            return Check(name, ok=True, detail=here)
        found = replace(self, namespace=ANYWHERE).injects()
        return replace(found, detail=f"{found.detail}; {here}")

    def _kept_out_by(self) -> str:
        """Say by which label the user's namespace is kept out of injection."""
        try:
            found = self.kube.get("v1", "Namespace", self.namespace) or {}
        except Forbidden:
            return ""
        labels = (found.get("metadata") or {}).get("labels") or {}
        why = control_plane.kept_out_by(labels, control_plane.served_revisions(self.kube))
        return f"it is labelled {why}" if why else ""

    def _answers(self, versions: Callable[[], Versions]) -> Check:
        name = "istiod answers its version"
        try:
            mesh = versions().mesh
        except EnvironmentFailed as error:
            if "forbidden" in error.message:
                return Check(name, ok=True, detail=NOT_ALLOWED)
            return Check(name, ok=False, detail=error.message, hint=WEBHOOK_HINT)
        hint = f"kubectl -n {self.plane.namespace} logs deployment/{self.plane.name}"
        return Check(name, bool(mesh), ", ".join(dict.fromkeys(mesh)) or "no answer", hint)

    def _own_webhooks(self) -> dict[str, list[Json]]:
        """Give the webhooks of this control plane, by what they do."""
        kinds = {
            "injection": "MutatingWebhookConfiguration",
            "validation": "ValidatingWebhookConfiguration",
        }
        return {
            what: [
                hook
                for item in self.kube.list(ADMISSION, kind)
                for hook in item.get("webhooks") or ()
                if _service(hook) == (self.plane.namespace, self.plane.name)
            ]
            for what, kind in kinds.items()
        }


def _verified(istioctl: Istioctl) -> Check:
    done = istioctl.verify_install()
    said = (done.stdout + done.stderr).strip().splitlines()
    last = said[-1] if said else ""
    return Check("istioctl verify-install finds it whole", not done.code, last, AGAIN)


def settled(check: Callable[[], Check], timeout: float) -> Check:
    """Make a check until it holds, and give it as it was last."""
    last: list[Check] = []

    def holds() -> bool:
        last[:] = [check()]
        return last[0].ok or last[0].final

    try:
        waiting.until(holds, "a check to hold", timeout=timeout)
    except OutOfTime:
        raise
    except TimedOut:
        return last[0]
    return last[0]


def sidecar(pod: Mapping[str, Any]) -> Json | None:
    """Give the sidecar among a pod's containers, also if it is a native one."""
    spec = pod.get("spec") or {}
    every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return next((container for container in every if container["name"] == ISTIO_PROXY), None)


def probe_pod(namespace: str, revision: str) -> Json:
    """Write a pod that asks for a sidecar."""
    labels = {INJECT_LABEL: "true"}
    if revision != DEFAULT_REVISION:
        labels[REVISION_LABEL] = revision
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": PROBE, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "probe", "image": "probe"}]},
    }


def probe_rule(namespace: str) -> Json:
    """Write a rule that the CRD allows and istiod does not: it says no destination."""
    return {
        "apiVersion": NETWORKING_API,
        "kind": "VirtualService",
        "metadata": {"name": PROBE, "namespace": namespace},
        "spec": {"hosts": [f"{PROBE}.invalid"], "http": [{}]},
    }


def _established(crd: Mapping[str, Any] | None) -> bool:
    conditions = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _available(deployment: Mapping[str, Any]) -> bool:
    wanted = deployment["spec"].get("replicas", 1)
    return bool(((deployment.get("status") or {}).get("availableReplicas") or 0) >= wanted)


def _service(webhook: Mapping[str, Any]) -> tuple[str, str]:
    service = (webhook.get("clientConfig") or {}).get("service") or {}
    return service.get("namespace", ""), service.get("name", "")


def _why_not(kube: Kube, plane: ControlPlane) -> str:
    """Say what keeps istiod's pods from running, or how to find out."""
    if not plane.replicas:
        return plane.next_step
    for pod in kube.list("v1", "Pod", plane.namespace, labels=control_plane.ISTIOD):
        for state in (pod.get("status") or {}).get("containerStatuses") or ():
            waits = (state.get("state") or {}).get("waiting") or {}
            if waits.get("message"):
                return f"{waits.get('reason')}: {waits['message']}"
    return plane.next_step
