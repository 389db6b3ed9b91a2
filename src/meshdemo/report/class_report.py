"""The reports of a class: who was given a place, and how far each one is."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING, Any

from meshdemo.report import Report
from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from meshdemo.engines.cluster.classroom.progress import Student
    from meshdemo.engines.cluster.classroom.seats import Seat
    from meshdemo.report.terminal import Terminal

HEADERS = ("STUDENT", "LESSON", "PASSED", "LAST CHECK")
NOTHING = "-"


def made(
    name: str, seats: Sequence[Seat], folder: Path, warnings: Sequence[Mapping[str, str]]
) -> Report:
    """Report that a class is there, and what its students type; or that it could be made."""
    first, last = seats[0], seats[-1]
    is_planned = not first.token

    def show(terminal: Terminal) -> None:
        new = sum(seat.is_new for seat in seats)
        those = first.name if len(seats) == 1 else f"{first.name} to {last.name}"
        number = counted(len(seats), "student")
        terminal.line(f"{terminal.mark(ok=True)} {number}: {those}, {new:,} of them new")
        if is_planned:
            terminal.line("It can be done; nothing was changed.")
            return
        # For another machine: so nothing of this one's options is added to the command.
        terminal.line(f"kubeconfigs in {folder}, valid until {_earliest(seats)}")
        terminal.line("Hand each student one of them. With it, for instance:")
        terminal.line(f"  meshdemo tour --kubeconfig {first.name}.yaml")

    students = [
        {
            "name": seat.name,
            "new": seat.is_new,
            "kubeconfig": str(folder / f"{seat.name}.yaml"),
            "expires": seat.expires or None,
        }
        for seat in seats
    ]
    data = {
        "class": name,
        "folder": str(folder),
        "dryRun": is_planned,
        "students": students,
        "warnings": warnings,
    }
    return Report(data, show)


def status(name: str, students: Sequence[Student], titles: Mapping[int, str]) -> Report:
    """Report each student's lesson and last check; ``titles`` are those of the lessons."""

    def show(terminal: Terminal) -> None:
        terminal.table(HEADERS, [row(student, titles, terminal) for student in students])

    return Report({"class": name, "students": [_document(student) for student in students]}, show)


def row(student: Student, titles: Mapping[int, str], terminal: Terminal) -> tuple[str, ...]:
    """Write one student's line."""
    progress, last = student.progress, student.progress.last
    if student.trouble:
        return student.name, student.trouble, NOTHING, NOTHING
    lesson = f"{progress.lesson} {titles.get(progress.lesson, '')}".rstrip()
    checked = NOTHING
    if last:
        sign = "✔" if last.passed else "✘"
        sign = sign if terminal.unicode else ("ok" if last.passed else "no")
        checked = f"{sign} {last.lesson}, {_moment(last.at)}"
    passed = f"{len(set(progress.passed))} of {len(titles)}"
    return student.name, lesson if progress.lesson else NOTHING, passed, checked


def _moment(at: datetime) -> str:
    """Write a time as this machine's clock shows it, which whoever teaches looks at."""
    local = at.astimezone()
    is_today = local.date() == local.now(local.tzinfo).date()
    return local.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M")


def _earliest(seats: Sequence[Seat]) -> str:
    from datetime import datetime  # noqa: PLC0415 - only here

    ends = min(datetime.fromisoformat(seat.expires.replace("Z", "+00:00")) for seat in seats)
    return ends.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _document(student: Student) -> dict[str, Any]:
    progress, last = student.progress, student.progress.last
    return {
        "name": student.name,
        "lesson": progress.lesson or None,
        "passed": sorted(set(progress.passed)),
        "last": {
            "lesson": last.lesson,
            "passed": last.passed,
            "at": last.at.astimezone(timezone.utc).isoformat(timespec="seconds"),
        }
        if last
        else None,
        "trouble": student.trouble or None,
    }
