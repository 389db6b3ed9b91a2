"""How often a sidecar tries a request, as Envoy's retry policy.

Source: ``ConvertPolicy`` and ``parseRetryOn`` in istiod's core/route/retry/retry.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.translate.resources import duration, extension

if TYPE_CHECKING:
    from meshdemo.engines.local.translate.resources import Json

PREVIOUS_HOSTS = extension(
    "envoy.retry_host_predicates.previous_hosts",
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
)
"""Prefers a pod that has not been tried yet."""
PREVIOUS_PRIORITIES = extension(
    "envoy.retry_priorities.previous_priorities",
    "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    update_frequency=2,
)
"""Prefers another locality after every second attempt."""

DEFAULT: Json = {
    "num_retries": 2,
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "host_selection_retry_max_attempts": 5,
    "retry_host_predicate": [PREVIOUS_HOSTS],
}
"""Istio's, for whoever asks for nothing else."""

BY_STATUS = "retriable-status-codes"


STICKY = {name: value for name, value in DEFAULT.items() if name != "retry_host_predicate"}
"""Istio's where requests are hashed: the same pod is tried again."""


def retry_policy(wanted: Json | None, *, sticky: bool = False) -> Json | None:
    """Translate the ``retries`` of a rule, None where it has none; None: nothing is retried.

    ``sticky`` says that the only destination of a rule hashes requests.
    """
    usual = STICKY if sticky else DEFAULT
    if wanted is None:
        return usual
    if not wanted.get("attempts"):
        return None
    policy = {**usual, "num_retries": wanted["attempts"]}
    if conditions := wanted.get("retryOn"):
        policy.update(_conditions(conditions.split(",")))
    if limit := wanted.get("perTryTimeout"):
        policy["per_try_timeout"] = duration(limit)
    if wanted.get("retryIgnorePreviousHosts") is False:
        policy.pop("retry_host_predicate", None)
    if wanted.get("retryIgnorePreviousHosts") is True:
        policy["retry_host_predicate"] = [PREVIOUS_HOSTS]
    if wanted.get("retryRemoteLocalities"):
        policy["retry_priority"] = PREVIOUS_PRIORITIES
    if pause := wanted.get("backoff"):
        policy["retry_back_off"] = {"base_interval": duration(pause)}
    return policy


def _conditions(wanted: list[str]) -> Json:
    """Tell statuses by number from Envoy's names of conditions."""
    codes = [int(each) for each in wanted if each.isdecimal()]
    names = [each for each in wanted if not each.isdecimal()]
    if not codes:
        return {"retry_on": ",".join(names)}
    if BY_STATUS not in names:
        names.append(BY_STATUS)
    return {"retry_on": ",".join(names), "retriable_status_codes": codes}
