"""What an HTTP rule does with the requests that it matches, as Envoy's route actions.

Source: ``applyHTTPRouteDestination``, ``ApplyRedirect`` and ``ApplyDirectResponse`` in istiod's
core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.translate import balancers, headers, retries
from meshdemo.engines.local.translate.faults import fractional_percent
from meshdemo.engines.local.translate.resources import NEVER, duration
from meshdemo.rules import redirects
from meshdemo.rules.mirrors import mirrors_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.engines.local.translate.resources import Json

MOVED = 301
REDIRECTS = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


class Forwarding(Struct, frozen=True):
    """A route's action that sends requests on, and the header operations that go with it."""

    action: Json
    operations: Json


def send(cluster: str, hashed: Json | None) -> Json:
    """Send requests to a cluster as istiod does where no rule says how."""
    action = {"cluster": cluster, "timeout": NEVER, "retry_policy": retries.DEFAULT}
    return action | balancers.hash_policies([hashed])


def forward(
    rule: Json, cluster_of: Callable[[Json], str], hash_of: Callable[[Json], Json | None]
) -> Forwarding:
    """Translate a rule that has destinations; ``hash_of`` says what of a request one hashes."""
    # istiod also says max_grpc_timeout, which Envoy gives up; its successor makes Envoy ignore
    # this timeout. Without either only the header grpc-timeout has no effect.
    limit = duration(rule["timeout"]) if rule.get("timeout") else NEVER
    action: Json = {"timeout": limit}
    if copies := list(_mirror_policies(rule, cluster_of)):
        action["request_mirror_policies"] = copies
    rewrite = rule.get("rewrite") or {}
    action.update(_rewrite(rewrite))
    authority = rewrite.get("authority") or headers.authority(rule.get("headers"))
    operations = headers.operations(rule.get("headers"))
    destinations = rule.get("route") or []
    if len(destinations) == 1:
        only = destinations[0]
        action["cluster"] = cluster_of(only["destination"])
        hashes = [hash_of(only["destination"])]
        authority = authority or headers.authority(only.get("headers"))
        operations = headers.joined(operations, headers.operations(only.get("headers")))
    else:
        weighted = [one for one in destinations if one.get("weight")]
        shares = [_share(one, cluster_of) for one in weighted]
        action["weighted_clusters"] = {"clusters": shares}
        hashes = [hash_of(one["destination"]) for one in weighted]
    action.update(balancers.hash_policies(hashes))
    # Where an only destination hashes requests the same pod is tried again.
    sticky = len(destinations) == 1 and hashes != [None]
    if policy := retries.retry_policy(rule.get("retries"), sticky=sticky):
        action["retry_policy"] = policy
    if authority:
        action["host_rewrite_literal"] = authority
    return Forwarding(action, operations)


def _rewrite(rewrite: Json) -> Json:
    if regex := rewrite.get("uriRegexRewrite"):
        pattern = {"regex": regex.get("match", "")}
        return {"regex_rewrite": {"pattern": pattern, "substitution": regex.get("rewrite", "")}}
    uri = rewrite.get("uri")
    return {"prefix_rewrite": uri} if uri else {}


def _mirror_policies(rule: Json, cluster_of: Callable[[Json], str]) -> Iterator[Json]:
    for mirror in mirrors_of(rule):
        if mirror.percent:
            yield {
                "cluster": cluster_of(dict(mirror.destination)),
                "runtime_fraction": {"default_value": fractional_percent(mirror.percent)},
                "trace_sampled": False,
                "disable_shadow_host_suffix_append": True,
            }


def _share(destination: Json, cluster_of: Callable[[Json], str]) -> Json:
    """Translate one of several destinations; its headers are its own."""
    share = {
        "name": cluster_of(destination["destination"]),
        "weight": destination["weight"],
        **headers.operations(destination.get("headers")),
    }
    if authority := headers.authority(destination.get("headers")):
        share["host_rewrite_literal"] = authority
    return share


def redirect(wanted: Json, port: int) -> Json:
    """Translate a redirect of requests that came to ``port``."""
    code = wanted.get("redirectCode") or MOVED
    found: Json = {"response_code": REDIRECTS[code]}
    if prefix := wanted.get("prefixRewrite"):
        found["prefix_rewrite"] = prefix
    elif uri := wanted.get("uri"):
        found["path_redirect"] = uri
    if authority := wanted.get("authority"):
        found["host_redirect"] = authority
    if scheme := wanted.get("scheme"):
        found["scheme_redirect"] = scheme
    if target := redirects.target_port(wanted, port):
        found["port_redirect"] = target
    return found


def direct_response(wanted: Json) -> Json:
    """Translate an answer that the sidecar gives itself."""
    body, found = wanted.get("body") or {}, {"status": wanted["status"]}
    for name in ("string", "bytes"):
        if name in body:
            found["body"] = {f"inline_{name}": body[name]}
    return found
