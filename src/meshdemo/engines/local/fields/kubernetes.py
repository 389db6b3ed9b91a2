"""The fields of Kubernetes' own kinds.

What changes what an app sees or does is honoured or refused; what is about scheduling, health
checks and hygiene is accepted without effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.fields import environment, volumes
from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
    TEXT_MAP,
    TEXTS,
    Annotations,
    Base64,
    Choice,
    Integer,
    ListOf,
    MapOf,
    Port,
    Record,
    honoured,
    unsupported,
    without_effect,
)
from meshdemo.objects.labels import EXPORT_TO, INJECT_LABEL
from meshdemo.objects.model import SERVER_METADATA
from meshdemo.rules.services import HEADLESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.local.fields.findings import Findings
    from meshdemo.engines.local.fields.types import Row
    from meshdemo.objects.place import Place


class ClusterAddress(Struct, frozen=True):
    """The address of a Service: only that it has none means something here."""

    def check(self, place: Place, findings: Findings) -> None:
        if not place.is_text:
            findings.report_type(place, "text")
        elif place.text not in ("", HEADLESS):
            findings.note_idle(place)


def _without_effect(names: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(names, without_effect())


def _unsupported(names: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(names, unsupported())


HONOURED_ANNOTATIONS = frozenset({EXPORT_TO, INJECT_LABEL})

METADATA = Record(
    {
        "name": honoured(TEXT),
        "namespace": honoured(TEXT),
        "labels": honoured(TEXT_MAP),
        "annotations": honoured(Annotations(HONOURED_ANNOTATIONS, "traffic.sidecar.istio.io")),
        **_without_effect(
            sorted(SERVER_METADATA | {"finalizers", "generateName", "ownerReferences"})
        ),
    }
)

SERVICE_PORT = Record(
    {
        "name": honoured(TEXT),
        "port": honoured(Port(), required=True),
        "targetPort": honoured(Port(named=True)),
        "appProtocol": honoured(TEXT),
        "protocol": honoured(Choice(("TCP", "UDP"), unsupported=("SCTP",))),
        "nodePort": without_effect(),
    }
)

SERVICE = Record(
    {
        "selector": honoured(TEXT_MAP),
        "ports": honoured(ListOf(SERVICE_PORT)),
        "type": honoured(Choice(("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"))),
        "externalName": honoured(TEXT),
        "sessionAffinity": honoured(Choice(("None", "ClientIP"))),
        # "None" makes it headless; an address of its own is not to be had on loopback.
        "clusterIP": honoured(ClusterAddress()),
        **_without_effect(
            (
                "allocateLoadBalancerNodePorts",
                "clusterIPs",
                "externalIPs",  # addresses of nodes: here a client calls a Service by its name
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "internalTrafficPolicy",
                "ipFamilies",
                "ipFamilyPolicy",
                "loadBalancerClass",
                "loadBalancerIP",
                "loadBalancerSourceRanges",
                "publishNotReadyAddresses",
                "sessionAffinityConfig",  # for how long: here it holds as long as the pod is there
                "trafficDistribution",
            )
        ),
    }
)

CONTAINER_PORT = Record(
    {
        "containerPort": honoured(Port(), required=True),
        "name": honoured(TEXT),
        "protocol": honoured(Choice(("TCP", "UDP"), unsupported=("SCTP",))),
        **_unsupported(("hostIP", "hostPort")),
    }
)

CONTAINER = Record(
    {
        "name": honoured(TEXT, required=True),
        "image": honoured(TEXT, required=True),
        "command": honoured(TEXTS),
        "args": honoured(TEXTS),
        "env": honoured(ListOf(environment.ENV)),
        "envFrom": honoured(ListOf(environment.ENV_FROM)),
        "ports": honoured(ListOf(CONTAINER_PORT)),
        "volumeMounts": honoured(ListOf(volumes.MOUNT)),
        **_unsupported(
            (
                "lifecycle",
                "restartPolicy",
                "restartPolicyRules",
                "volumeDevices",
                "workingDir",
            )
        ),
        **_without_effect(
            (
                "imagePullPolicy",
                "livenessProbe",
                "readinessProbe",
                "resizePolicy",
                "resources",
                "securityContext",
                "startupProbe",
                "stdin",
                "stdinOnce",
                "terminationMessagePath",
                "terminationMessagePolicy",
                "tty",
            )
        ),
    }
)

POD = Record(
    {
        "containers": honoured(ListOf(CONTAINER), required=True),
        "restartPolicy": honoured(Choice(("Always", "OnFailure", "Never"))),
        "volumes": honoured(ListOf(volumes.VOLUME)),
        **_unsupported(
            (
                "activeDeadlineSeconds",
                "dnsConfig",
                "ephemeralContainers",
                "hostAliases",
                "hostIPC",
                "hostNetwork",
                "hostPID",
                "hostname",
                "hostnameOverride",
                "initContainers",
                "readinessGates",
                "resourceClaims",
                "schedulingGates",
                "setHostnameAsFQDN",
                "shareProcessNamespace",
                "subdomain",
            )
        ),
        **_without_effect(
            (
                "affinity",
                "automountServiceAccountToken",
                "dnsPolicy",
                "enableServiceLinks",
                "hostUsers",
                "imagePullSecrets",
                "nodeName",
                "nodeSelector",
                "os",
                "overhead",
                "preemptionPolicy",
                "priority",
                "priorityClassName",
                "resources",
                "runtimeClassName",
                "schedulerName",
                "securityContext",
                "serviceAccount",
                "serviceAccountName",
                "terminationGracePeriodSeconds",
                "tolerations",
                "topologySpreadConstraints",
            )
        ),
    }
)

SELECTOR = Record(
    {
        "matchLabels": honoured(TEXT_MAP),
        "matchExpressions": honoured(
            ListOf(
                Record(
                    {
                        "key": honoured(TEXT, required=True),
                        "operator": honoured(
                            Choice(("In", "NotIn", "Exists", "DoesNotExist")), required=True
                        ),
                        "values": honoured(TEXTS),
                    }
                )
            )
        ),
    }
)

DEPLOYMENT = Record(
    {
        "replicas": honoured(Integer(0)),
        "selector": honoured(SELECTOR, required=True),
        "template": honoured(
            Record({"metadata": honoured(METADATA), "spec": honoured(POD, required=True)}),
            required=True,
        ),
        "paused": unsupported(),
        **_without_effect(
            ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy")
        ),
    }
)

NAMESPACE = Record({"finalizers": without_effect()})

SERVICE_ACCOUNT = _without_effect(("automountServiceAccountToken", "imagePullSecrets", "secrets"))
"""A ServiceAccount has no spec: these stand at the top."""

CONFIG_MAP = {
    "data": honoured(TEXT_MAP),
    "binaryData": honoured(MapOf(Base64())),
    "immutable": without_effect(BOOLEAN),
}
"""A ConfigMap has no spec, nor has a Secret: these stand at the top."""

SECRET = {
    "data": honoured(MapOf(Base64())),
    "stringData": honoured(TEXT_MAP),
    "type": honoured(TEXT),
    "immutable": without_effect(BOOLEAN),
}

TOP = {
    "apiVersion": honoured(TEXT),
    "kind": honoured(TEXT),
    "metadata": honoured(METADATA),
    "status": without_effect(),
}
"""What stands at the top of every object."""
