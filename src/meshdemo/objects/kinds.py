"""Kinds of objects by the names that kubectl takes for them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshdemo.objects.model import Object

NETWORKING_GROUP = "networking.istio.io"
"""The API group of Istio's traffic rules: every Istio has it."""
NETWORKING_API = f"{NETWORKING_GROUP}/v1beta1"
"""The version that every Istio from 1.5 to today serves."""
FILTER_API = f"{NETWORKING_GROUP}/v1alpha3"
"""The only version of EnvoyFilter."""
SECURITY_API = "security.istio.io/v1beta1"
_RBAC_API = "rbac.authorization.k8s.io/v1"


class Kind(Struct, frozen=True):
    """One kind of objects."""

    name: str
    """As in ``VirtualService``."""
    api_version: str
    """Group and a version that every server has which has the kind."""
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    local: bool = True
    """Whether the local engine takes it, be it without effect."""

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def singular(self) -> str:
        """As kubectl writes one of them: ``virtualservice.networking.istio.io``."""
        return f"{self.name.lower()}.{self.group}".rstrip(".")

    @property
    def resource(self) -> str:
        """As kubectl writes all of them: ``virtualservices.networking.istio.io``."""
        return f"{self.plural}.{self.group}".rstrip(".")

    def is_kind(self, name: str, group: str) -> bool:
        """Tell whether it is the kind that an object of this kind and group is of."""
        return (name, group) == (self.name, self.group)

    def is_called(self, word: str) -> bool:
        """Tell whether kubectl takes a word for this kind; capitals make no difference."""
        name, _, group = word.lower().partition(".")
        version = self.api_version.rpartition("/")[2]
        groups = ("", self.group, f"{version}.{self.group}")
        return name in (self.plural, self.name.lower(), *self.short) and group in groups


_ADMISSION_API = "admissionregistration.k8s.io/v1"
_FLOW_API = "flowcontrol.apiserver.k8s.io/v1"
_MONITORING_API = "monitoring.coreos.com/v1"

KINDS = (
    Kind("Namespace", "v1", "namespaces", ("ns",), namespaced=False),
    Kind("Pod", "v1", "pods", ("po",)),
    Kind("Service", "v1", "services", ("svc",)),
    Kind("Deployment", "apps/v1", "deployments", ("deploy",)),
    Kind("StatefulSet", "apps/v1", "statefulsets", ("sts",)),
    Kind("DaemonSet", "apps/v1", "daemonsets", ("ds",)),
    Kind("ReplicaSet", "apps/v1", "replicasets", ("rs",)),
    Kind("ReplicationController", "v1", "replicationcontrollers", ("rc",)),
    Kind("Job", "batch/v1", "jobs"),
    Kind("ServiceAccount", "v1", "serviceaccounts", ("sa",)),
    Kind("ConfigMap", "v1", "configmaps", ("cm",)),
    Kind("Secret", "v1", "secrets"),
    Kind("DestinationRule", NETWORKING_API, "destinationrules", ("dr",)),
    Kind("VirtualService", NETWORKING_API, "virtualservices", ("vs",)),
    Kind("ServiceEntry", NETWORKING_API, "serviceentries", ("se",)),
    Kind("Sidecar", NETWORKING_API, "sidecars"),
    # What follows has no effect on traffic.
    Kind("CronJob", "batch/v1", "cronjobs", ("cj",)),
    Kind("PersistentVolume", "v1", "persistentvolumes", ("pv",), namespaced=False),
    Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims", ("pvc",)),
    Kind("LimitRange", "v1", "limitranges", ("limits",)),
    Kind("ResourceQuota", "v1", "resourcequotas", ("quota",)),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", ("netpol",)),
    Kind("IngressClass", "networking.k8s.io/v1", "ingressclasses", namespaced=False),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", ("hpa",)),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", ("pdb",)),
    Kind("PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", ("pc",), namespaced=False),
    Kind("RuntimeClass", "node.k8s.io/v1", "runtimeclasses", namespaced=False),
    Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", ("sc",), namespaced=False),
    Kind("Lease", "coordination.k8s.io/v1", "leases"),
    Kind("PodTemplate", "v1", "podtemplates"),
    Kind("ControllerRevision", "apps/v1", "controllerrevisions"),
    Kind("CSIDriver", "storage.k8s.io/v1", "csidrivers", namespaced=False),
    Kind("DeviceClass", "resource.k8s.io/v1", "deviceclasses", namespaced=False),
    Kind("ResourceClaim", "resource.k8s.io/v1", "resourceclaims"),
    Kind("ResourceClaimTemplate", "resource.k8s.io/v1", "resourceclaimtemplates"),
    Kind("FlowSchema", _FLOW_API, "flowschemas", namespaced=False),
    Kind("PriorityLevelConfiguration", _FLOW_API, "prioritylevelconfigurations", namespaced=False),
    Kind("PodSecurityPolicy", "policy/v1beta1", "podsecuritypolicies", ("psp",), namespaced=False),
    Kind("Role", _RBAC_API, "roles"),
    Kind("RoleBinding", _RBAC_API, "rolebindings"),
    Kind("ClusterRole", _RBAC_API, "clusterroles", namespaced=False),
    Kind("ClusterRoleBinding", _RBAC_API, "clusterrolebindings", namespaced=False),
    Kind(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        ("crd", "crds"),
        namespaced=False,
    ),
    Kind("APIService", "apiregistration.k8s.io/v1", "apiservices", namespaced=False),
    *(
        Kind(name, _ADMISSION_API, f"{name.lower()}s", namespaced=False)
        for name in (
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicyBinding",
        )
    ),
    Kind(
        "ValidatingAdmissionPolicy",
        _ADMISSION_API,
        "validatingadmissionpolicies",
        namespaced=False,
    ),
    Kind("ServiceMonitor", _MONITORING_API, "servicemonitors", ("smon",)),
    Kind("PodMonitor", _MONITORING_API, "podmonitors", ("pmon",)),
    Kind("PrometheusRule", _MONITORING_API, "prometheusrules", ("promrule",)),
    Kind("Telemetry", "telemetry.istio.io/v1alpha1", "telemetries", ("telemetry",)),
    Kind("ProxyConfig", NETWORKING_API, "proxyconfigs"),
    Kind("WorkloadGroup", NETWORKING_API, "workloadgroups", ("wg",)),
    # What follows is on a cluster only.
    Kind("Ingress", "networking.k8s.io/v1", "ingresses", ("ing",), local=False),
    Kind("Gateway", NETWORKING_API, "gateways", ("gw",), local=False),
    Kind("WorkloadEntry", NETWORKING_API, "workloadentries", ("we",), local=False),
    Kind("EnvoyFilter", FILTER_API, "envoyfilters", local=False),
    Kind("AuthorizationPolicy", SECURITY_API, "authorizationpolicies", ("ap",), local=False),
    Kind("PeerAuthentication", SECURITY_API, "peerauthentications", ("pa",), local=False),
    Kind("RequestAuthentication", SECURITY_API, "requestauthentications", ("ra",), local=False),
)
LOCAL = tuple(kind for kind in KINDS if kind.local)
"""The kinds that the local engine has."""
CLUSTER_SCOPED = frozenset(kind.name for kind in KINDS if not kind.namespaced)
CATEGORIES = {
    "all": (
        *("Pod", "ReplicationController", "Service", "DaemonSet", "Deployment", "ReplicaSet"),
        *("StatefulSet", "HorizontalPodAutoscaler", "CronJob", "Job"),
    ),
    "istio-io": ("DestinationRule", "VirtualService", "ServiceEntry", "Sidecar"),
    "networking-istio-io": ("DestinationRule", "VirtualService", "ServiceEntry", "Sidecar"),
}
"""Words that stand for several kinds, as far as the local engine has them."""


def find(word: str) -> Kind | None:
    """Find the kind that kubectl takes a word for; None if we know of none."""
    return next((kind for kind in KINDS if kind.is_called(word)), None)


def of(name: str, api_version: str) -> Kind:
    """Give the kind that an object says it is of; one that we do not know by its usual plural."""
    group = api_version.rpartition("/")[0]
    known = (each for each in KINDS if each.is_kind(name, group))
    return next(known, None) or Kind(name, api_version, f"{name.lower()}s")


def named(kind: str) -> Kind:
    """Give one of the kinds above by its own name."""
    return next(each for each in KINDS if each.name == kind)


def custom(objects: Iterable[Object]) -> tuple[Kind, ...]:
    """Give the kinds of objects that are not among those above, called as their definition says."""
    every = list(objects)
    defined = {}
    for item in every:
        names = item.spec.get("names") if item.kind == "CustomResourceDefinition" else None
        if isinstance(names, dict):
            defined[str(item.spec.get("group")), str(names.get("kind"))] = names, item.spec
    found: dict[tuple[str, str], Kind] = {}
    for item in every:
        kind = of(item.kind, str(item.data.get("apiVersion")))
        names, spec = defined.get((kind.group, kind.name), ({}, {}))
        if kind not in KINDS:
            found[kind.group, kind.name] = replace(
                kind,
                plural=str(names.get("plural") or kind.plural),
                short=tuple(map(str, names.get("shortNames") or ())),
                namespaced=spec.get("scope") != "Cluster",
            )
    return tuple(found.values())


def read(
    words: str,
    among: tuple[Kind, ...] = KINDS,
    more: Callable[[], tuple[Kind, ...]] = tuple,
) -> tuple[Kind, ...]:
    """Read kinds as kubectl takes them: ``vs``, ``pods,svc``, ``all``. Raises UsageError.

    ``more`` is asked for others where a word is none of those.
    """
    found: dict[str, Kind] = {}
    for word in words.split(","):
        kinds = [named(name) for name in CATEGORIES.get(word.lower(), ())]
        kind = next((each for each in among if each.is_called(word)), None)
        if not kind and not kinds:
            kind = next((each for each in more() if each.is_called(word)), None)
        if not kind and not kinds:
            raise _unknown(word, among)
        found |= {each.name: each for each in ([kind] if kind else kinds)}
    return tuple(found.values())


def _unknown(word: str, among: tuple[Kind, ...]) -> UsageError:
    names = {name: kind.plural for kind in among for name in (kind.plural, kind.name.lower())}
    close = difflib.get_close_matches(word.lower(), names, n=1)
    hint = f"Did you mean {names[close[0]]}?" if close else f"There are {_list(among)}."
    if find(word):  # it is known, and not among these
        hint = f"The local engine has {_list(among)}."
    return UsageError(f'there is no resource type "{word}"', hint=hint)


def _list(kinds: tuple[Kind, ...]) -> str:
    return ", ".join(f"{kind.plural} ({kind.short[0]})" for kind in kinds if kind.short)
