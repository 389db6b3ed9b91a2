"""Which pods a client prefers: load balancing by locality, where no pod has a locality.

Pods have none here, as on a cluster whose nodes are in no region. What is left of it are the labels
of failoverPriority, and a distribute that may leave out every pod.

Source: ``GetEffectiveLbSetting``, ``applyFailoverPriorityPerLocality`` and ``applyLocalityWeights``
in istiod's core/loadbalancer/loadbalancer.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Labels = Mapping[str, str]

NETWORK = "topology.istio.io/network"
"""As the first label, it counts for more than all others, and those are looked at nevertheless."""
ANYWHERE = "*"


def preferred(policy: Mapping[str, Any], client: Labels, pods: Sequence[Labels]) -> list[list[int]]:
    """Group pods, by their place in the list: the next group is for when one is not healthy.

    Only the first group gets requests while it is; no group at all means that no pod does.
    """
    balancer = policy.get("loadBalancer") or {}
    everybody = [list(range(len(pods)))] if pods else []
    if (by_zone := balancer.get("zoneAwareLbSetting")) is not None:
        wanted = by_zone.get("failoverPriority") if _is_enabled(by_zone) else None
    elif (by_locality := balancer.get("localityLbSetting")) is None or not _is_enabled(by_locality):
        wanted = None
    elif distribute := by_locality.get("distribute"):
        return everybody if _reaches_no_locality(distribute) else []
    else:
        # Without ejections nobody would ever fail over, so then it has no effect.
        wanted = by_locality.get("failoverPriority") if "outlierDetection" in policy else None
    if not wanted or not client:
        return everybody
    groups: dict[int, list[int]] = {}
    for index, pod in enumerate(pods):
        groups.setdefault(_distance(wanted, client, pod), []).append(index)
    return [groups[distance] for distance in sorted(groups)]


def _is_enabled(setting: Mapping[str, Any]) -> bool:
    return setting.get("enabled") is not False


def _distance(wanted: Sequence[str], client: Labels, pod: Labels) -> int:
    """Count how many labels are left from the first one that differs."""
    far = 0
    for place, written in enumerate(wanted):
        name, *values = written.split("=")
        value = values[0] if len(values) == 1 else client.get(name, "")
        if value == pod.get(name, ""):
            continue
        if place == 0 and written == NETWORK:
            far = len(wanted)
            continue
        return far + len(wanted) - place
    return far


def _reaches_no_locality(distribute: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether pods without a locality are among those that a client without one may reach."""
    own = next((each for each in distribute if _is_any(each.get("from") or "")), None)
    return own is None or any(map(_is_any, own.get("to") or ()))


def _is_any(locality: str) -> bool:
    """Tell whether a locality takes what has none."""
    region, *rest = locality.split("/", 2)
    return region == ANYWHERE and all(part == ANYWHERE for part in rest)
