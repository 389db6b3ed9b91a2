"""How the pods of each kind of workload are called and labelled: as its controller does it.

Names look like those of Kubernetes, and are derived from the template: the same objects give the
same pods, a changed template gives other ones, but for a StatefulSet, whose pods keep their names.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from meshdemo.objects import stateful_sets
from meshdemo.objects.labels import CONTROLLER_HASH_LABEL, POD_NAME_LABEL, TEMPLATE_HASH_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.objects.model import Object

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes generated names of: no vowels, so that no words come out."""
HASH_LENGTH, SUFFIX_LENGTH = 10, 5
LONGEST_POD_NAME = 63
"""A pod's name is its host name, which is one label in DNS."""


def pods_of(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    """Give name and labels of each pod that an object asks for."""
    if name_pods := _BY_KIND.get(item.kind):
        yield from name_pods(item)


def pod_count(item: Object) -> int:
    """Say how many pods an object asks for; of one that is not valid any number."""
    if item.kind == "Job":
        wanted = item.spec.get("completions", item.spec.get("parallelism"))
        return 0 if item.spec.get("suspend") else _number(wanted)
    if item.kind == "CronJob" or not item.makes_pods:
        return 0
    return 1 if item.kind in ("Pod", "DaemonSet") else _number(item.spec.get("replicas"))


def digest(data: object, length: int) -> str:
    """Give a short stable name for some data, in the letters of generated names."""
    text = json.dumps(data, sort_keys=True, default=str)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    letters = ""
    for _ in range(length):
        number, index = divmod(number, len(ALPHABET))
        letters += ALPHABET[index]
    return letters


def _number(value: Any) -> int:  # noqa: ANN401 - admission has not judged it yet
    return value if isinstance(value, int) else 1


def _pod(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    yield item.name, item.labels


def _deployment(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    template_hash = digest(item.pod_template, HASH_LENGTH)
    labels = {**_labels(item), TEMPLATE_HASH_LABEL: template_hash}
    for index in range(pod_count(item)):
        suffix = digest([item.namespace, item.name, template_hash, index], SUFFIX_LENGTH)
        yield _cut(item.name, f"-{template_hash}-{suffix}"), labels


def _replica_set(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    yield from _suffixed(item, _labels(item))


def _daemon_set(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    template_hash = digest(item.pod_template, HASH_LENGTH)
    more = {CONTROLLER_HASH_LABEL: template_hash, "pod-template-generation": "1"}
    yield from _suffixed(item, {**_labels(item), **more})


def _stateful_set(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    template_hash = digest(item.pod_template, HASH_LENGTH)
    for name in stateful_sets.pod_names(item):
        yield (
            name,
            {
                **_labels(item),
                CONTROLLER_HASH_LABEL: f"{item.name}-{template_hash}",
                POD_NAME_LABEL: name,
                "apps.kubernetes.io/pod-index": name.rpartition("-")[2],
            },
        )


def _job(item: Object) -> Iterator[tuple[str, dict[str, str]]]:
    more = {"batch.kubernetes.io/job-name": item.name, "job-name": item.name}
    yield from _suffixed(item, {**_labels(item), **more})


def _suffixed(item: Object, labels: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    kind, template = item.kind, item.pod_template
    for index in range(pod_count(item)):
        suffix = digest([kind, item.namespace, item.name, template, index], SUFFIX_LENGTH)
        yield _cut(item.name, f"-{suffix}"), labels


def _cut(name: str, tail: str) -> str:
    return name[: LONGEST_POD_NAME - len(tail)] + tail


def _labels(item: Object) -> dict[str, str]:
    return (item.pod_template.get("metadata") or {}).get("labels") or {}


_BY_KIND: dict[str, Callable[[Object], Iterator[tuple[str, dict[str, str]]]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Job": _job,
}
