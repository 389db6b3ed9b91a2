"""The fields of Kubernetes' own kinds.

What changes what an app sees or does is honoured or refused; what is about scheduling, health
checks and hygiene is accepted without effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.fields import volumes
from meshdemo.engines.local.fields.types import (
    TEXT,
    TEXT_MAP,
    TEXTS,
    Annotations,
    Choice,
    Integer,
    ListOf,
    Port,
    Record,
    idle,
    later,
    yes,
)
from meshdemo.objects.model import SERVER_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.local.fields.types import Row


def _idle(names: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(names, idle())


def _later(names: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(names, later())


HONOURED_ANNOTATIONS = frozenset({"networking.istio.io/exportTo", "sidecar.istio.io/inject"})

METADATA = Record(
    {
        "name": yes(TEXT),
        "namespace": yes(TEXT),
        "labels": yes(TEXT_MAP),
        "annotations": yes(Annotations(HONOURED_ANNOTATIONS, "traffic.sidecar.istio.io")),
        **_idle(sorted(SERVER_METADATA | {"finalizers", "generateName", "ownerReferences"})),
    }
)

SERVICE_PORT = Record(
    {
        "name": yes(TEXT),
        "port": yes(Port(), required=True),
        "targetPort": yes(Port(named=True)),
        "appProtocol": yes(TEXT),
        "protocol": yes(Choice(("TCP",), unsupported=("UDP", "SCTP"))),
        "nodePort": idle(),
    }
)

SERVICE = Record(
    {
        "selector": yes(TEXT_MAP),
        "ports": yes(ListOf(SERVICE_PORT)),
        "type": yes(
            Choice(("ClusterIP", "NodePort", "LoadBalancer"), unsupported=("ExternalName",))
        ),
        "sessionAffinity": yes(Choice(("None",), unsupported=("ClientIP",))),
        # An address of its own is not to be had on loopback, and "None" would mean a service
        # without one: admission refuses it.
        "clusterIP": idle(),
        **_later(("externalIPs", "sessionAffinityConfig")),
        **_idle(
            (
                "allocateLoadBalancerNodePorts",
                "clusterIPs",
                "externalName",  # only for the type that is refused
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "internalTrafficPolicy",
                "ipFamilies",
                "ipFamilyPolicy",
                "loadBalancerClass",
                "loadBalancerIP",
                "loadBalancerSourceRanges",
                "publishNotReadyAddresses",
                "trafficDistribution",
            )
        ),
    }
)

CONTAINER_PORT = Record(
    {
        "containerPort": yes(Port(), required=True),
        "name": yes(TEXT),
        "protocol": yes(Choice(("TCP",), unsupported=("UDP", "SCTP"))),
        **_later(("hostIP", "hostPort")),
    }
)

ENV = Record({"name": yes(TEXT, required=True), "value": yes(TEXT), "valueFrom": later()})

CONTAINER = Record(
    {
        "name": yes(TEXT, required=True),
        "image": yes(TEXT, required=True),
        "command": yes(TEXTS),
        "args": yes(TEXTS),
        "env": yes(ListOf(ENV)),
        "ports": yes(ListOf(CONTAINER_PORT)),
        "volumeMounts": idle(ListOf(volumes.MOUNT)),
        **_later(
            (
                "envFrom",
                "lifecycle",
                "restartPolicy",
                "restartPolicyRules",
                "volumeDevices",
                "workingDir",
            )
        ),
        **_idle(
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
        "containers": yes(ListOf(CONTAINER), required=True),
        # A process that ends is started again, whatever it ended with.
        "restartPolicy": yes(Choice(("Always",), unsupported=("OnFailure", "Never"))),
        "volumes": yes(ListOf(volumes.VOLUME)),
        **_later(
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
        **_idle(
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
        "matchLabels": yes(TEXT_MAP),
        "matchExpressions": yes(
            ListOf(
                Record(
                    {
                        "key": yes(TEXT, required=True),
                        "operator": yes(
                            Choice(("In", "NotIn", "Exists", "DoesNotExist")), required=True
                        ),
                        "values": yes(TEXTS),
                    }
                )
            )
        ),
    }
)

DEPLOYMENT = Record(
    {
        "replicas": yes(Integer(0)),
        "selector": yes(SELECTOR, required=True),
        "template": yes(
            Record({"metadata": yes(METADATA), "spec": yes(POD, required=True)}), required=True
        ),
        "paused": later(),
        **_idle(("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy")),
    }
)

NAMESPACE = Record({"finalizers": idle()})

SERVICE_ACCOUNT = _idle(("automountServiceAccountToken", "imagePullSecrets", "secrets"))
"""A ServiceAccount has no spec: these stand at the top."""

TOP = {"apiVersion": yes(TEXT), "kind": yes(TEXT), "metadata": yes(METADATA), "status": idle()}
"""What stands at the top of every object."""
