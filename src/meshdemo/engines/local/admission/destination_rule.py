"""Istio's admission of a DestinationRule: of the rule, and of its traffic policies.

Source: Istio's pkg/config/validation (ValidateDestinationRule). What the local engine does not
support yet is judged as well, so that one answer names everything that is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import locality, names
from meshdemo.engines.local.admission.references import (
    export_problems,
    label_problems,
    subset_name_problems,
)
from meshdemo.engines.local.fields.destination_rule import LARGEST_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

PORT_POLICY_FIELDS = ("outlierDetection", "connectionPool", "loadBalancer", "tls")
POLICY_FIELDS = (*PORT_POLICY_FIELDS, "portLevelSettings", "tunnel", "proxyProtocol", "retryBudget")


def problems(rule: Place) -> Iterator[Problem]:
    """Judge a whole DestinationRule."""
    spec = rule["spec"]
    host = spec["host"]
    if host.is_text and (wrong := names.wildcard_domain(host.text)):
        yield host.problem(wrong)
    yield from _policy_problems(spec["trafficPolicy"])
    seen: set[str] = set()
    for subset in spec["subsets"].items:
        name = subset["name"]
        if name.is_text and name.text in seen:
            yield name.problem(f'duplicate subset name "{name.text}"')
        seen.add(name.text)
        yield from subset_name_problems(name)
        yield from label_problems(subset["labels"])
        yield from _policy_problems(subset["trafficPolicy"])
    yield from export_problems(spec, rule.item.namespace)
    yield from _selector_problems(spec, rule.item.namespace)


def _selector_problems(spec: Place, namespace: str) -> Iterator[Problem]:
    """Judge a rule for some clients only: it stays in its namespace."""
    if "workloadSelector" not in spec:
        return
    labels = spec["workloadSelector"]["matchLabels"]
    for key, value in labels.entries.items():
        if not key or "*" in key or "*" in value.text:
            yield value.problem(
                "the labels of a workloadSelector take no wildcard, and no empty key"
            )
        if len(value.text.encode(errors="replace")) > names.LONGEST_LABEL:
            yield value.problem(f"the value is longer than {names.LONGEST_LABEL} bytes")
    targets = [target.text for target in spec["exportTo"].items]
    # The labels of a workloadSelector select pods of the rule's own namespace, so nobody else could
    # follow it.
    if targets and targets not in (["."], [namespace]):
        message = "a rule with a workloadSelector cannot be exported beyond its namespace"
        yield spec["exportTo"].problem(message)


def _policy_problems(policy: Place) -> Iterator[Problem]:
    if not policy.there:
        return
    if all(policy[name].is_empty_list for name in POLICY_FIELDS):
        yield policy.problem("the traffic policy is empty: at least one field must be there")
    if "tunnel" in policy and "proxyProtocol" in policy:
        yield policy.problem("tunnel and proxyProtocol cannot be set together")
    yield from _part_problems(policy)
    for settings in policy["portLevelSettings"].items:
        if "port" not in settings:
            yield settings["port"].problem("the settings of a port need the port")
        if not any(name in settings for name in PORT_POLICY_FIELDS):
            yield settings.problem("the settings of the port are empty")
        yield from _part_problems(settings)
    yield from _tunnel_problems(policy["tunnel"])


def _part_problems(policy: Place) -> Iterator[Problem]:
    """Judge what stands in a policy as well as in the settings of one port."""
    yield from _outlier_problems(policy["outlierDetection"])
    yield from _pool_problems(policy["connectionPool"])
    yield from _tls_problems(policy["tls"])
    balancer = policy["loadBalancer"]
    yield from _hash_problems(balancer["consistentHash"])
    yield from locality.problems(balancer)
    aggression = balancer["warmup"]["aggression"]
    if aggression.there and aggression.number <= 0:
        yield aggression.problem("the aggression is not greater than 0")


def _outlier_problems(outlier: Place) -> Iterator[Problem]:
    local = outlier["consecutiveLocalOriginFailures"]
    if local.number > 0 and outlier["splitExternalLocalOriginErrors"].value is not True:
        yield local.problem(
            "consecutiveLocalOriginFailures wants splitExternalLocalOriginErrors to be true"
        )


def _pool_problems(pool: Place) -> Iterator[Problem]:
    if pool.there and "http" not in pool and "tcp" not in pool:
        yield pool.problem("the connectionPool is empty: http or tcp must be there")
    http = pool["http"]
    if http["h2UpgradePolicy"].text == "UPGRADE" and http["useClientProtocol"].value is True:
        yield http.problem("useClientProtocol contradicts h2UpgradePolicy UPGRADE")


def _hash_problems(consistent: Place) -> Iterator[Problem]:
    cookie = consistent["httpCookie"]
    if cookie["name"].is_text and not cookie["name"].text:
        yield cookie["name"].problem("the name of the httpCookie is empty")
    seen: set[str] = set()
    for attribute in cookie["attributes"].items:
        name = attribute["name"]
        if name.is_text and (not name.text or name.text in seen):
            yield name.problem("the name of a cookie's attribute is empty or a duplicate")
        seen.add(name.text)
    if consistent["minimumRingSize"].number and (
        "ringHash" in consistent or "maglev" in consistent
    ):
        yield consistent["minimumRingSize"].problem(
            "only one of minimumRingSize, ringHash and maglev may be there"
        )
    yield from _maglev_problems(consistent["maglev"])


def _maglev_problems(maglev: Place) -> Iterator[Problem]:
    if not maglev.there:
        return
    size = maglev["tableSize"]
    if isinstance(size.value, int | None) and not _is_prime(int(size.number)):
        yield size.problem(f"the tableSize {size.value or 0} is not a prime number")


def _is_prime(number: int) -> bool:
    """Tell as Envoy does, for which 1 is prime."""
    if number in {1, 2, 3}:
        return True
    if number <= 0 or number % 2 == 0:
        return False
    # What is larger is refused anyway, and not worth factoring.
    factors = range(3, int(min(number, LARGEST_TABLE) ** 0.5) + 1, 2)
    return all(number % factor for factor in factors)


def _tls_problems(tls: Place) -> Iterator[Problem]:
    mode = tls["mode"].text
    secrets = ("clientCertificate", "caCertificates", "privateKey", "caCrl")
    by_name = tls["credentialName"].text and mode in {"SIMPLE", "MUTUAL"}
    if tls["insecureSkipVerify"].value is True and mode in {"SIMPLE", "MUTUAL"}:
        checked = ["caCertificates", "subjectAltNames"] + ["credentialName"] * (mode == "SIMPLE")
        for name in (name for name in checked if tls[name].value):
            yield tls[name].problem(f"{name} contradicts insecureSkipVerify")
    if by_name:
        for name in (name for name in secrets if tls[name].text):
            yield tls[name].problem(f"{name} cannot stand beside credentialName")
    elif mode == "MUTUAL":
        for name in ("clientCertificate", "privateKey"):
            if not tls[name].text:
                yield tls[name].problem(f"mode MUTUAL needs {name}")


def _tunnel_problems(tunnel: Place) -> Iterator[Problem]:
    protocol, host = tunnel["protocol"], tunnel["targetHost"]
    if protocol.text not in {"", "CONNECT", "POST"}:
        yield protocol.problem(f'the protocol "{protocol.text}" is neither CONNECT nor POST')
    if host.is_text and names.domain(host.text) and not names.is_address(host.text):
        yield host.problem(f'"{host.text}" is neither a host nor an address')
