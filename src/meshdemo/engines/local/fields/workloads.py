"""The fields of the kinds that make pods, beside Deployment and Pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.fields.kubernetes import METADATA, POD, SELECTOR
from meshdemo.engines.local.fields.types import (
    TEXT,
    TEXT_MAP,
    Boolean,
    Choice,
    Integer,
    Record,
    honoured,
    unsupported,
    without_effect,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.engines.local.fields.types import Row

TEMPLATE = honoured(
    Record({"metadata": honoured(METADATA), "spec": honoured(POD, required=True)}), required=True
)


def _idle(names: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(names, without_effect())


STATEFUL_SET = Record(
    {
        "replicas": honoured(Integer(0)),
        "selector": honoured(SELECTOR, required=True),
        "template": TEMPLATE,
        "serviceName": honoured(TEXT),
        "ordinals": honoured(Record({"start": honoured(Integer(0))})),
        "volumeClaimTemplates": unsupported(),
        **_idle(
            (
                "minReadySeconds",
                "persistentVolumeClaimRetentionPolicy",
                "podManagementPolicy",
                "revisionHistoryLimit",
                "updateStrategy",
            )
        ),
    }
)

DAEMON_SET = Record(
    {
        "selector": honoured(SELECTOR, required=True),
        "template": TEMPLATE,
        **_idle(("minReadySeconds", "revisionHistoryLimit", "updateStrategy")),
    }
)

REPLICA_SET = Record(
    {
        "replicas": honoured(Integer(0)),
        "selector": honoured(SELECTOR, required=True),
        "template": TEMPLATE,
        "minReadySeconds": without_effect(),
    }
)

REPLICATION_CONTROLLER = Record(
    {
        "replicas": honoured(Integer(0)),
        "selector": honoured(TEXT_MAP),
        "template": TEMPLATE,
        "minReadySeconds": without_effect(),
    }
)

JOB = Record(
    {
        # All of its pods run at once: nothing here is so scarce that they would have to queue.
        "completions": honoured(Integer(0)),
        "parallelism": honoured(Integer(0)),
        "backoffLimit": honoured(Integer(0)),
        "suspend": honoured(Boolean()),
        "completionMode": honoured(Choice(("NonIndexed",), unsupported=("Indexed",))),
        "template": TEMPLATE,
        **_idle(
            (
                "activeDeadlineSeconds",
                "backoffLimitPerIndex",
                "managedBy",
                "manualSelector",
                "maxFailedIndexes",
                "podFailurePolicy",
                "podReplacementPolicy",
                "selector",
                "successPolicy",
                "ttlSecondsAfterFinished",
            )
        ),
    }
)
