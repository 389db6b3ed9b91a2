"""The reports: one function for each kind of result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.errors import ExitCode
from meshdemo.objects import reading
from meshdemo.report import Report
from meshdemo.report.documents import (
    change_document,
    check_document,
    container_document,
    pod_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from meshdemo.engines.results import Change, Check
    from meshdemo.objects.model import Object
    from meshdemo.report.terminal import Terminal
    from meshdemo.walkthrough.deleting import Deleted
    from meshdemo.walkthrough.deploy import Deployed, Injected
    from meshdemo.walkthrough.route import Routed


def plain(text: str, **data: object) -> Report:
    """Report one text, and for ``-o json`` the given data."""
    return Report(data, lambda terminal: terminal.line(text))


def routed(result: Routed, watched: Mapping[str, Any]) -> Report:
    """Report changed rules, and how long it took them to be live."""

    def show(terminal: Terminal) -> None:
        _show_changes(terminal, result.changes)
        if not result.changes:
            terminal.line("there are no rules, so nothing was removed")
            return
        for rule in result.overruled:
            terminal.advise(f"not followed: {rule}")
        if not result.overruled or len(result.overruled) < len(result.changes):
            terminal.line(f"live in the data plane after {result.live_after * 1000:,.0f} ms")

    data = {
        **watched,
        "changes": [change_document(item) for item in result.changes],
        "liveAfter": round(result.live_after, 6),
        "overruled": list(result.overruled),
    }
    return Report(data, show)


def deleted(result: Deleted) -> Report:
    """Report what was deleted, in kubectl's words; what was named and stays is exit code 3."""
    gone = [change for change in result.changes if change.action == "deleted"]
    kept = [change for change in result.changes if change.action == "kept"]
    singular = {kind.name: kind.singular for kind in result.kinds}

    def show(terminal: Terminal) -> None:
        for change in gone:
            terminal.line(f'{singular[change.kind]} "{change.name}" deleted')
        for change in kept:
            name = f'{singular[change.kind]} "{change.name}"'
            terminal.line(f"{terminal.mark(ok=False)} {name} is not ours: {change.reason}")
        for kind, name in result.missing:
            terminal.line(f'{terminal.mark(ok=False)} {kind.resource} "{name}" not found')
        if not result.changes and not result.missing:
            terminal.line("No resources found")

    data = {
        "changes": [change_document(item) for item in result.changes],
        "missing": [{"kind": kind.name, "name": name} for kind, name in result.missing],
        "seconds": round(result.seconds, 6),
    }
    wrong = kept or result.missing
    return Report(data, show, ExitCode.ENVIRONMENT if wrong else ExitCode.OK)


def deployed(result: Deployed, next_step: str, watched: Mapping[str, Any]) -> Report:
    """Report what is deployed, and what comes next."""

    def show(terminal: Terminal) -> None:
        _show_changes(terminal, result.changes)
        if result.pods:
            terminal.table(
                ("NAME", "READY", "STATUS"), [(p.name, p.ready, p.phase) for p in result.pods]
            )
        if next_step:
            terminal.advise(f"next: {next_step}")

    data = {
        **watched,
        "changes": [change_document(item) for item in result.changes],
        "pods": [pod_document(item) for item in result.pods],
        "next": next_step or None,
    }
    return Report(data, show)


def injected(result: Injected, watched: Mapping[str, Any]) -> Report:
    """Report what the sidecars added to each pod."""

    def show(terminal: Terminal) -> None:
        for pod in result.pods:
            terminal.line(f"{pod.name}   {pod.ready}")
            for container in result.added.get(pod.name, ()):
                kind = "init container" if container.init else "container"
                terminal.line(f"  + {kind} {container.name}, image {container.image}")
            if not result.added.get(pod.name):
                terminal.line("  nothing to add")

    data = {
        **watched,
        "changes": [change_document(item) for item in result.changes],
        "pods": [pod_document(item) for item in result.pods],
        "added": {
            name: [container_document(item) for item in containers]
            for name, containers in result.added.items()
        },
    }
    return Report(data, show)


def checked(
    checks: Sequence[Check], done: str = "", watched: Mapping[str, Any] | None = None
) -> Report:
    """Report named facts; one that does not hold is exit code 3, or 4 if only time was short."""
    wrong = [check for check in checks if not check.ok]
    ok = not wrong
    code = ExitCode.INCONCLUSIVE if all(check.late for check in wrong) else ExitCode.ENVIRONMENT

    def show(terminal: Terminal) -> None:
        for number, check in enumerate(checks, 1):
            said = f": {check.detail}" if check.detail else ""
            terminal.advise(f"{terminal.mark(check.ok)} {check.name}{said}")
            following = [later.hint for later in checks[number:] if not later.ok]
            if not check.ok and check.hint and check.hint not in following:
                terminal.advise(f"    {check.hint}")
        if ok and done:
            terminal.line(done)

    data = {**(watched or {}), "ok": ok, "checks": [check_document(item) for item in checks]}
    return Report(data, show, ExitCode.OK if ok else code)


def streamed(lines: Iterable[str], key: str, *, collect: bool) -> Report:
    """Report lines as they come; for JSON they are collected first."""
    if collect:
        return Report({key: list(lines)})

    def show(terminal: Terminal) -> None:
        for line in lines:
            terminal.line(line)
            if terminal.gone:
                return

    return Report({}, show)


def only_code(code: int, show: Callable[[Terminal], None] | None = None, **data: object) -> Report:
    """Report the status of a command that has already said everything itself."""
    return Report(data, show or (lambda _: None), code)


def _show_changes(terminal: Terminal, changes: Iterable[Change]) -> None:
    for change in changes:
        why = f" ({change.reason})" if change.reason else ""
        terminal.line(f"{change.kind.lower()}/{change.name} {change.action}{why}")


def manifests_written(objects: Sequence[Object]) -> Report:
    """Report objects as YAML, for a pipe."""
    return Report(
        {"objects": [item.data for item in objects]},
        lambda terminal: terminal.line(reading.dump(objects).rstrip("\n")),
    )


def files_written(files: Mapping[str, str]) -> Report:
    """Report files, each with what became of it."""

    def show(terminal: Terminal) -> None:
        for path, action in files.items():
            terminal.line(f"{path} {action}")

    return Report({"files": [{"path": p, "action": a} for p, a in files.items()]}, show)
