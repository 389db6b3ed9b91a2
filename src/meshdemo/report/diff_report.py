"""The report of ``meshdemo diff``: a sentence for each change, with the rules' places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.errors import ExitCode
from meshdemo.report import Report
from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from meshdemo.errors import Problem
    from meshdemo.report.terminal import Terminal
    from meshdemo.suite.changes.comparing import Compared
    from meshdemo.suite.changes.differing import Differing
    from meshdemo.suite.changes.telling import Change


UNSEEN = "no request that was sent tells how these differ"


def compared(result: Compared, *, exit_code: bool) -> Report:
    """Report what changes; with ``exit_code`` 1 if something does, or may."""

    def show(terminal: Terminal) -> None:
        for number, change in enumerate(result.changes, 1):
            following = result.changes[number] if number < len(result.changes) else None
            _show(terminal, change, following)
        for each in result.unseen:
            terminal.advise(f"not seen: {_sides(each)}: {UNSEEN}")
        for note in _notes(result):
            terminal.advise(f"note: {note}")
        terminal.line(_summary(result))

    differs = exit_code and bool(result.changes or result.unseen)
    return Report(_document(result), show, ExitCode.NOT_MET if differs else ExitCode.OK)


def _show(terminal: Terminal, change: Change, following: Change | None) -> None:
    """Show a change; the places of its rules stand below the last one that has them."""
    more = len(change.probes) - 1
    like = f" (and {counted(more, 'request')} like it)" if more else ""
    terminal.advise(f"{change.words}{like}")
    said = _places(change)
    if said and not (following and _places(following) == said):
        terminal.advise(terminal.paint(f"    {said}", "dim"))


def _places(change: Change) -> str:
    old, new = (_spot(place) for place in (change.old, change.new))
    return old if old == new else " -> ".join((old or "no rule", new or "no rule"))


def _sides(each: Differing) -> str:
    places = [side.place for side in (each.old, each.new)]
    title = next(place.subject for place in places if place)
    return " -> ".join(_spot(place) or f"no {title}" for place in places)


def _spot(spot: Problem | None) -> str:
    if spot is None:
        return ""
    return " ".join(part for part in (spot.place, spot.field) if part)


def _notes(result: Compared) -> list[str]:
    left_out = [f"not compared: {', '.join(result.left_out)}"] if result.left_out else []
    return [*left_out, *result.notes]


def _summary(result: Compared) -> str:
    nothing = "nothing changes in what was compared" if result.left_out else "nothing changes"
    found = counted(len(result.changes), "change") if result.changes else nothing
    if result.unseen:
        unseen = f"{counted(len(result.unseen), 'difference')} that no request showed,"
        found = f"{found}, and {unseen}" if result.changes else f"no change seen; {unseen}"
    sent = f"{counted(result.sent, 'request')} sent to both, of {result.derived:,} derived"
    return f"{found} from {result.old} to {result.new} ({sent})"


def _document(result: Compared) -> dict[str, Any]:
    return {
        "old": result.old,
        "new": result.new,
        "changed": [_change_document(change) for change in result.changes],
        "notSeen": [_unseen_document(each) for each in result.unseen],
        "derived": result.derived,
        "sent": result.sent,
        "notes": [{"message": note} for note in _notes(result)],
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "kind": change.difference.kind,
        "message": change.words,
        "requests": [
            {
                "url": probe.request.url,
                "method": probe.request.method,
                "headers": [{"name": n, "value": v} for n, v in probe.request.headers],
                "from": str(probe.source) or None,
            }
            for probe in change.probes
        ],
        "places": _places_document(change.old, change.new),
    }


def _unseen_document(each: Differing) -> dict[str, Any]:
    return {
        "message": f"{_sides(each)}: {UNSEEN}",
        "places": _places_document(each.old.place, each.new.place),
    }


def _places_document(old: Problem | None, new: Problem | None) -> dict[str, Any]:
    return {"old": _place_document(old), "new": _place_document(new)}


def _place_document(place: Problem | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "file": place.file or None,
        "line": place.line or None,
        "object": place.subject or None,
        "field": place.field or None,
    }
