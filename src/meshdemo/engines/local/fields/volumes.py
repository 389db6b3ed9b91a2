"""The fields of a pod's volumes. No folder is made here for any of them.

A scratch folder is empty at first, so to be without it changes nothing that an app finds there;
a volume that would hold something is refused.
"""

from __future__ import annotations

from meshdemo.engines.local.fields.types import BOOLEAN, TEXT, Record, idle, later, yes

MOUNT = Record(
    {
        "name": yes(TEXT, required=True),
        "mountPath": yes(TEXT, required=True),
        "readOnly": yes(BOOLEAN),
        "subPath": yes(TEXT),
        "subPathExpr": yes(TEXT),
        "mountPropagation": idle(),
        "recursiveReadOnly": idle(),
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
        "name": yes(TEXT, required=True),
        "emptyDir": idle(Record({"medium": yes(TEXT), "sizeLimit": idle()})),
        **dict.fromkeys(WITH_CONTENT, later()),
    },
    one_of=(("emptyDir", *WITH_CONTENT),),
)
