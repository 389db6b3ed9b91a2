"""The fields of a pod's volumes.

A folder is made in the pod's state for those that are empty at first, or hold ConfigMaps and
Secrets. It is not at the ``mountPath``, which is the machine's own: the environment says where.
A volume that would hold anything else is refused.
"""

from __future__ import annotations

from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
    Integer,
    ListOf,
    Record,
    honoured,
    unsupported,
    without_effect,
)

MOUNT = Record(
    {
        "name": honoured(TEXT, required=True),
        "mountPath": honoured(TEXT, required=True),
        "readOnly": honoured(BOOLEAN),
        "subPath": honoured(TEXT),
        "subPathExpr": honoured(TEXT),
        "mountPropagation": without_effect(),
        "recursiveReadOnly": without_effect(),
    }
)

MODE = Integer(0, 0o777)
ITEM = Record(
    {
        "key": honoured(TEXT, required=True),
        "path": honoured(TEXT, required=True),
        "mode": honoured(MODE),
    }
)
PART = {"items": honoured(ListOf(ITEM)), "optional": honoured(BOOLEAN)}
CONFIG_MAP = {"name": honoured(TEXT, required=True), **PART}
SECRET = {"secretName": honoured(TEXT, required=True), **PART}
WHOLE = {"defaultMode": honoured(MODE)}
OTHER_PARTS = (
    "clusterTrustBundle",
    "downwardAPI",
    "podCertificate",
    "serviceAccountToken",
)
"""What of a projected volume is not supported."""
PROJECTED = Record(
    {
        "sources": honoured(
            ListOf(
                Record(
                    {
                        "configMap": honoured(Record(CONFIG_MAP)),
                        "secret": honoured(Record(CONFIG_MAP)),
                        **dict.fromkeys(OTHER_PARTS, unsupported()),
                    },
                    one_of=(("configMap", "secret", *OTHER_PARTS),),
                )
            )
        ),
        **WHOLE,
    }
)

WITH_CONTENT = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "downwardAPI",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
"""Kubernetes' sources of volumes that bring something with them which is not here."""

VOLUME = Record(
    {
        "name": honoured(TEXT, required=True),
        "emptyDir": honoured(Record({"medium": honoured(TEXT), "sizeLimit": without_effect()})),
        "configMap": honoured(Record({**CONFIG_MAP, **WHOLE})),
        "secret": honoured(Record({**SECRET, **WHOLE})),
        "projected": honoured(PROJECTED),
        **dict.fromkeys(WITH_CONTENT, unsupported()),
    },
    one_of=(("emptyDir", "configMap", "secret", "projected", *WITH_CONTENT),),
)
