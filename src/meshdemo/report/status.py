"""The report of ``status``: pods, what is wrong with them, services, rules in force."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from meshdemo.errors import ExitCode
from meshdemo.report import Report
from meshdemo.report.documents import check_document, pod_document
from meshdemo.rules.rule_words import in_words
from meshdemo.walkthrough.pod_selection import TYPE_UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.results import Container, MeshStatus, Pod
    from meshdemo.objects.model import Object
    from meshdemo.report.terminal import Terminal
    from meshdemo.rules.analysis.effects import Effect

POD_COLUMNS = ("NAME", "READY", "STATUS", "RESTARTS", "ADDRESSES")
MAKER_COLUMN = ("MADE BY",)
WIDE_COLUMNS = ("INIT CONTAINERS", "CONTAINERS", "IMAGES")
FOREIGN_RULE = "by the test client's sidecar; it is of another namespace, and may not be read"
SERVICE_COLUMNS = ("SERVICE", "PORTS", "PODS", "VERSIONS")


def status(
    pods: Sequence[Pod],
    services: Sequence[tuple[Object, Sequence[Pod]]],
    rules: Sequence[Effect],
    around: MeshStatus,
    *,
    wide: bool,
    others: frozenset[str] = frozenset(),
) -> Report:
    """Report the mesh as it is now; anything not ready, or nothing at all, is exit code 3.

    Each Service comes with its pods, each rule with what becomes of it. Pods of ``others`` are
    shown, and do not decide.
    """
    deciding = [pod for pod in pods if pod.name not in others]
    well = all(check.ok for check in around.mesh)
    ok = (
        well
        and bool(deciding)
        and all((pod.is_ready or pod.is_done) and not pod.message for pod in deciding)
    )

    def show(terminal: Terminal) -> None:
        if not pods:
            terminal.advise(f"{around.trouble or 'no pods'}. {TYPE_UP}")
        else:
            makers = {p.name: ("others" if p.name in others else "meshdemo",) for p in pods}
            rows = [(*_row(p, wide=wide), *(makers[p.name] if others else ())) for p in pods]
            headers = (
                *POD_COLUMNS,
                *(WIDE_COLUMNS if wide else ()),
                *(MAKER_COLUMN if others else ()),
            )
            terminal.table(headers, rows)
        for pod in pods:
            if pod.message:
                whose = " (of others)" if pod.name in others else ""
                terminal.advise(f"{terminal.mark(ok=False)} {pod.name}{whose}: {pod.message}")
        for name in around.without_pods:
            terminal.advise(f"{name} has no pods: it is scaled to 0")
        for check in around.mesh:
            hint = f". {check.hint}" if check.hint and not check.ok else ""
            terminal.advise(f"{terminal.mark(check.ok)} {check.name}: {check.detail}{hint}")
        if services:
            terminal.line()
            terminal.table(SERVICE_COLUMNS, [_service_row(*each) for each in services])
        if pods or rules:
            _show_rules(terminal, rules)

    data = {
        "ok": ok,
        "pods": [{**pod_document(p), "ofOthers": p.name in others} for p in pods],
        "services": [service_document(*each) for each in services],
        "rules": [rule_document(each) for each in rules],
        "trouble": around.trouble or None,
        "mesh": [check_document(check) for check in around.mesh],
        "withoutPods": list(around.without_pods),
    }
    return Report(data, show, ExitCode.OK if ok else ExitCode.ENVIRONMENT)


def _show_rules(terminal: Terminal, rules: Sequence[Effect]) -> None:
    acting = [each for each in rules if not each.idle]
    terminal.line()
    terminal.line("rules in force:" if acting else "rules in force: none")
    for each in acting:
        said = [*in_words(each.followed), *(() if each.is_seen else (FOREIGN_RULE,))]
        terminal.advise(f"  {each.rule.title}   {'; '.join(said)}")
        for remark in each.remarks:
            terminal.advise(f"    {terminal.mark(ok=False)} {remark}")
    idle = [each for each in rules if each.idle]
    if idle:
        terminal.line("rules that do not act:")
    for each in idle:
        terminal.advise(f"  {each.rule.title}   {each.idle}")


def rule_document(effect: Effect) -> dict[str, Any]:
    """Give one rule as it is applied, and what becomes of it."""
    rule = effect.rule
    return {
        "kind": rule.kind,
        "namespace": rule.namespace,
        "name": rule.name,
        "summary": list(in_words(effect.followed)),
        "inForce": not effect.idle,
        "why": effect.idle or None,
        "remarks": list(effect.remarks),
        "overruledBy": [item.title for item in effect.overruled_by],
        "spec": rule.spec if effect.is_seen else None,
    }


def service_document(service: Object, pods: Sequence[Pod]) -> dict[str, Any]:
    """Give one Service as it is applied, and the pods that it selects."""
    return {
        "namespace": service.namespace,
        "name": service.name,
        "spec": service.spec,
        "pods": [pod.name for pod in pods],
    }


def _service_row(service: Object, pods: Sequence[Pod]) -> tuple[str, ...]:
    ports = [
        " ".join(str(port[name]) for name in ("name", "port") if port.get(name))
        for port in service.spec.get("ports") or ()
    ]
    if other := service.spec.get("externalName"):
        return service.name, f"another name of {other}", "-", "-"
    versions = Counter(pod.labels["version"] for pod in pods if pod.labels.get("version"))
    ready = sum(pod.is_ready for pod in pods)
    count = f"{ready:,}" if ready == len(pods) else f"{ready:,} of {len(pods):,} ready"
    shares = [f"{version} {number:,}" for version, number in sorted(versions.items())]
    return service.name, ", ".join(ports) or "-", count, ", ".join(shares) or "-"


def _row(pod: Pod, *, wide: bool) -> tuple[str, ...]:
    state = pod.phase if pod.is_ready or pod.phase != "Running" else "NotReady"
    row = (pod.name, pod.ready, state, str(pod.restarts), ", ".join(pod.addresses) or "-")
    if not wide:
        return row
    init = [c for c in pod.containers if c.init]
    return (
        *row,
        _names(init),
        _names(c for c in pod.containers if not c.init),
        ", ".join(dict.fromkeys(c.image for c in pod.containers)),
    )


def _names(containers: Any) -> str:  # noqa: ANN401 - any iterable of Container
    found: list[Container] = list(containers)
    return ", ".join(container.name for container in found) or "-"
