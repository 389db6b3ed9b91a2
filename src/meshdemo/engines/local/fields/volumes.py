"""The fields of a pod's volumes. No folder is made here for any of them.

A scratch folder is empty at first, so to be without it changes nothing that an app finds there;
a volume that would hold something is refused.
"""

from __future__ import annotations

from meshdemo.engines.local.fields.types import (
    BOOLEAN,
    TEXT,
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

WITH_CONTENT = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
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
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
)
"""Kubernetes' sources of volumes that bring something with them."""

VOLUME = Record(
    {
        "name": honoured(TEXT, required=True),
        "emptyDir": without_effect(
            Record({"medium": honoured(TEXT), "sizeLimit": without_effect()})
        ),
        **dict.fromkeys(WITH_CONTENT, unsupported()),
    },
    one_of=(("emptyDir", *WITH_CONTENT),),
)
