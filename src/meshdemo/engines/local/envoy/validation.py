"""Asks a real Envoy whether it takes what rules become, without running them: ``--mode validate``.

Every rule is asked about by itself, so that the one that Envoy rejects has a name. All of them go
to one Envoy; only if it refuses, smaller and smaller parts of them do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.engines.local import translate
from meshdemo.engines.local.envoy.bootstrap import bootstrap
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.engines.local.translate.resources import loopback
from meshdemo.objects.model import Object
from meshdemo.objects.place import top
from meshdemo.rules import hosts
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.local.envoy.binary import Envoy
    from meshdemo.engines.local.translate import Config
    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

Json = dict[str, Any]

FIRST_PORT = 1024
MOST_AT_ONCE = 2_000
"""So many rules are asked about in one bootstrap: each has a listener with a port of its own."""
SECONDS = 60.0
"""How long an Envoy may take for a bootstrap; for this many rules it takes about one."""
OF_NOBODY = "rules.meshdemo.dev"
"""Stands for a host that a sidecar has no name for: that of a delegate, and all of a gateway's."""
ONLY_FOR_SOME = ("port", "sourceLabels", "sourceNamespace", "gateways")
"""Conditions on clients, ports and gateways: who meets none of them would not get the rule."""
ANYBODY = ("exportTo", "gateways", "workloadSelector")
"""The same of whole rules."""
_CONSTRAINT = re.compile(r"constraint validation failed \((.*)\)")
_BEFORE_REASON = re.compile(r"^(\[.*\] )?(error initializing config\w* '[^']*')?[: ]*")


class Unit(Struct, frozen=True):
    """The smallest part that is asked about: one http rule, a DestinationRule, a ServiceEntry."""

    place: Place
    config: Config


def units(item: Object) -> Iterator[Unit]:
    """Give what an object becomes in the sidecar of a client that all of it is for."""
    whole = top(item)
    if item.kind == "VirtualService":
        for number, rule in enumerate(whole["spec"]["http"].rows):
            if rule.there and "delegate" not in rule:  # the delegate is asked about by itself
                yield Unit(rule, _configured(_with_rule(item, number)))
    elif item.kind == "DestinationRule":
        yield Unit(whole, _configured(_for_anybody(item), *_around(item)))
    elif item.kind == "ServiceEntry":
        yield Unit(whole, _configured(_for_anybody(item)))


def rejected(envoy: Envoy, every: Sequence[Unit]) -> Iterator[Problem]:
    """Give what Envoy says of each unit that it rejects. Raises CommandFailed if it never ends."""
    with TemporaryDirectory(prefix="meshdemo-") as folder:
        for start in range(0, len(every), MOST_AT_ONCE):
            yield from _rejected(envoy, every[start : start + MOST_AT_ONCE], Path(folder))


def _rejected(envoy: Envoy, some: Sequence[Unit], folder: Path) -> Iterator[Problem]:
    named = ((str(number), unit.config) for number, unit in enumerate(some))
    done = validate(envoy.path, named, folder)
    if done.code == 0:
        return
    if len(some) == 1:
        message = f"Istio takes it, but Envoy {envoy.version} does not: {_said(done)}"
        yield some[0].place.problem(message)
        return
    half = len(some) // 2
    yield from _rejected(envoy, some[:half], folder)
    yield from _rejected(envoy, some[half:], folder)


def validate(envoy: str, configs: Iterable[tuple[str, Config]], folder: Path) -> shell.Result:
    """Give what Envoy says of many configurations at once, each with a name of its own."""
    listeners: list[Json] = []
    clusters: list[Json] = []
    for name, config in configs:
        listeners += _listeners(name, config)
        clusters += _clusters(name, config)
    for port, listener in enumerate(listeners, FIRST_PORT):
        if "address" in listener:
            listener["address"] = loopback(port)
    start = bootstrap("static", folder=str(folder), admin=str(folder / "admin"))
    del start["dynamic_resources"]
    start["static_resources"] = {"listeners": listeners, "clusters": clusters}
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(start), encoding="utf-8")
    argv = [envoy, "--mode", "validate", "--log-level", "warning", "-c", str(file)]
    return shell.run(argv, timeout=SECONDS, env={}, check=False)


def _said(done: shell.Result) -> str:
    """Give Envoy's own reason: of a constraint the innermost part that breaks it.

    It writes the whole message that it read before the reason, and logs all in one entry.
    """
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if not lines or done.code < 0:
        return f"it ends with status {done.code}"
    if broken := _CONSTRAINT.search(lines[-1]):
        return broken[1].rpartition("caused by ")[2]
    return _BEFORE_REASON.sub("", lines[-1]).strip()


def _configured(*objects: Object) -> Config:
    space = objects[0].namespace
    pod = PlannedPod("client", space, {}, {}, "", injected=True, outbound=FIRST_PORT)
    return translate.sidecar(Mesh(tuple(map(_dated, objects)), (pod,)), pod, "FOLDER")


def _dated(item: Object) -> Object:
    metadata = {"creationTimestamp": "2026-01-01T00:00:00Z", **item.metadata}
    return item.with_data({**item.data, "metadata": metadata})


def _with_rule(item: Object, number: int) -> Object:
    """Give a VirtualService that has one of its http rules, for every client and port."""
    rule = dict(item.spec["http"][number])
    if rule.get("match"):
        rule["match"] = [_without(match or {}, ONLY_FOR_SOME) for match in rule["match"]]
    named = [host for host in item.spec.get("hosts") or () if host != "*"] or [OF_NOBODY]
    spec = {"hosts": named, "http": [rule]}
    return item.with_data({**item.data, "spec": spec})


def _for_anybody(item: Object) -> Object:
    return item.with_data({**item.data, "spec": _plain(_without(item.spec, ANYBODY))})


def _plain(value: Any) -> Any:  # noqa: ANN401 - any data
    """Leave out TLS: its files are on the machine where the sidecar runs."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _plain(each) for name, each in value.items() if name != "tls"}


def _without(spec: Mapping[str, Any], names: Sequence[str]) -> Json:
    return {name: value for name, value in spec.items() if name not in names}


def _around(rule: Object) -> Iterator[Object]:
    """Make up the service that a DestinationRule is for, and routes to each of its subsets.

    What a policy says of hashes is on the routes.
    """
    host = hosts.resolve(str(rule.spec["host"]), rule.namespace)
    if hosts.is_wildcard(host):
        host = f"any{host[1:]}" if len(host) > 1 else OF_NOBODY
    wanted = {hosts.HTTP_PORT, *_ports(rule.spec)}
    ports = [{"number": n, "name": f"http-{n}", "protocol": "HTTP"} for n in sorted(wanted)]
    subsets = ["", *(str(each["name"]) for each in rule.spec.get("subsets") or ())]
    routes = [_route(host, subset, number) for subset in subsets for number in sorted(wanted)]
    yield _made_up(
        rule,
        "ServiceEntry",
        hosts=[host],
        ports=ports,
        resolution="STATIC",
        endpoints=[{"address": "127.0.0.1"}],
    )
    yield _made_up(rule, "VirtualService", hosts=[host], http=routes)


def _route(host: str, subset: str, port: int) -> Json:
    to = {"host": host, "port": {"number": port}, **({"subset": subset} if subset else {})}
    return {"match": [{"uri": {"prefix": f"/{subset}/{port}"}}], "route": [{"destination": to}]}


def _made_up(rule: Object, kind: str, **spec: Any) -> Object:  # noqa: ANN401 - any data
    metadata = {"name": "made-up", "namespace": rule.namespace}
    return Object({"kind": kind, "metadata": metadata, "spec": spec})


def _ports(spec: Json) -> Iterator[int]:
    for part in (spec, *(spec.get("subsets") or ())):
        for level in (part.get("trafficPolicy") or {}).get("portLevelSettings") or ():
            if number := (level.get("port") or {}).get("number"):
                yield number


def _listeners(name: str, config: Config) -> Iterator[Json]:
    """Put the routes where Envoy need not fetch them, and give listeners names of their own."""
    for listener in json.loads(json.dumps(config.listeners)):
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        if manager.pop("rds", None):
            manager["route_config"] = _untyped(config.routes[0])
        yield {**_untyped(listener), "name": f"{name}/{listener['name']}"}


def _clusters(name: str, config: Config) -> Iterator[Json]:
    """Give the clusters names of their own."""
    for cluster in config.clusters:
        own = f"{name}/{cluster['name']}"
        assignment = {**cluster["load_assignment"], "cluster_name": own}
        yield {**_untyped(cluster), "name": own, "load_assignment": assignment}


def _untyped(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "@type"}
