"""``meshdemo class``: a namespace, few rights and a kubeconfig for each student of a class."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import chosen, cluster_for, read_settings
from meshdemo.engines.protocol import CLUSTER
from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.report import Report
from meshdemo.settings import absolute, expand, state_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.classroom.kubeconfigs import Kubeconfigs
    from meshdemo.engines.cluster.classroom.seats import Classroom
    from meshdemo.settings import Settings

ACTIONS = ("up", "status", "down")
ABOUT = {
    "--students": ("up",),
    "--duration": ("up",),
    "--dry-run": ("up",),
    "--folder": ("up", "down"),
    "--watch": ("status",),
}
"""The actions that an option is about."""
MOST_STUDENTS = 500
LEAST_SECONDS = 600
"""The shortest time for which an API server gives a token."""
PAUSE = 2.0
"""Seconds between two looks."""
FOLDER = "class"
"""The folder below the state directory that holds the classes' kubeconfigs, a folder each."""


def class_(
    ctx: typer.Context,
    action: Annotated[
        str, typer.Argument(metavar="up | status | down", show_default=False, help="What to do.")
    ],
    students: Annotated[
        int | None,
        typer.Option("--students", metavar="N", help="up: how many there are to be."),
    ] = None,
    duration: Annotated[
        str,
        typer.Option(
            "--duration", metavar="DURATION", help="up: how long the kubeconfigs are good for."
        ),
    ] = "8h",
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="The class; its namespaces are NAME-01, NAME-02 ..."
        ),
    ] = "student",
    folder: Annotated[
        str | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            show_default=False,
            help="up, down: where the kubeconfigs are. [default: class/NAME in the state "
            "directory]",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="up: say whether it can be done; do nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="status: go on looking, until Ctrl-C.")
    ] = False,
) -> Report:
    """Set up a cluster for a class, see how far each student is, and remove it all.

    up makes a namespace for each student, one beside it for the lessons that need a second,
    rights in these and nowhere else, and a kubeconfig whose token expires. Once more, it adds
    what is missing and renews all tokens; what students have made stays as it is. down removes
    the namespaces with all that is in them, and nothing else.

    It takes an administrator's rights. Istio itself is installed by meshdemo install.

    Examples:
        meshdemo class up --students 20 --context lab
        meshdemo class up --students 22 --duration 3h --context lab  # two more, and new tokens
        meshdemo class status --watch --context lab  # each one's lesson, and last check
        meshdemo class down --context lab
    """
    settings = read_settings(ctx)
    _refuse(action, [option for option in ABOUT if _is_said(ctx, option)], settings)
    _refuse_number(action, students)
    seconds = int(values.limit(duration, "--duration"))
    if seconds < LEAST_SECONDS:
        raise UsageError(f"--duration: {duration} is less than a token can last, which is 10m")
    room, kubeconfigs = _open(ctx, action, name, folder)
    if action == "up":
        return _up(ctx, room, kubeconfigs, students or 0, None if dry_run else seconds)
    if action == "status":
        return _watch(ctx, room) if watch else _status(room)
    return _down(room, kubeconfigs)


def _is_said(ctx: typer.Context, option: str) -> bool:
    """Tell whether an option was typed, be it with the value that it has by default."""
    source = ctx.get_parameter_source(option.removeprefix("--").replace("-", "_"))
    return source is not None and source.name == "COMMANDLINE"


def _refuse(action: str, said: Sequence[str], settings: Settings) -> None:
    if action not in ACTIONS:
        hint = f"There are {', '.join(ACTIONS)}; as in meshdemo class up --students 20"
        raise UsageError(f'class has no "{action}"', hint=hint)
    if settings.namespace:
        hint = "--name NAME says how they begin."
        raise UsageError("-n: a class has a namespace for each student", hint=hint)
    for option in said:
        if action not in ABOUT[option]:
            actions = " and ".join(f"class {each}" for each in ABOUT[option])
            raise UsageError(f"{option} is about {actions}")
    if "--watch" in said and settings.output == "json":
        raise UsageError("--watch: -o json is one document, and there is no end to watching")


def _refuse_number(action: str, students: int | None) -> None:
    if action == "up" and students is None:
        raise UsageError("how many students?", hint="As in meshdemo class up --students 20")
    if students is not None and not 1 <= students <= MOST_STUDENTS:
        raise UsageError(f"--students: {students} is not 1 to {MOST_STUDENTS}")


def _open(
    ctx: typer.Context, action: str, name: str, folder: str | None
) -> tuple[Classroom, Kubeconfigs]:
    """Open the cluster; the local engine has no classes."""
    from meshdemo.tour import placing

    last = f"{name}-{MOST_STUDENTS}"
    for namespace in (last, *placing.beside(last)):
        values.namespace(namespace, "--name")
    choice = chosen(ctx, changes=action != "status")
    if choice.engine != CLUSTER:
        hint = (
            "Name the cluster: --engine cluster, or --context NAME. Without one, each student "
            "types meshdemo tour on a machine of their own."
        )
        raise UsageError("a class is on a cluster: the local engine is one person's", hint=hint)
    from meshdemo.engines.cluster.classroom.kubeconfigs import Kubeconfigs
    from meshdemo.engines.cluster.classroom.seats import Classroom
    from meshdemo.walkthrough import bundled

    settings = choice.settings
    place = absolute(expand(folder)) if folder else state_place(settings.state_dir) / FOLDER / name
    kube = cluster_for(ctx, choice, f"class {name}")
    room = Classroom(
        kube,
        name,
        lambda space: bundled.read(bundled.RBAC_MANIFESTS[:1], space),
        placing.beside,
        ctx.obj.progress.notify,
        settings.timeout,
    )
    return room, Kubeconfigs(kube, Path(place), name)


def _up(
    ctx: typer.Context,
    room: Classroom,
    kubeconfigs: Kubeconfigs,
    students: int,
    seconds: int | None,
) -> Report:
    """Make the class, with tokens for so many seconds; with None only see whether that can be."""
    from meshdemo.report import class_report

    seats = room.plan(students)
    kubeconfigs.require([seat.name for seat in seats])
    if seconds:
        seats = room.up(seats, seconds)
        kubeconfigs.write(seats)
    progress = ctx.obj.progress
    for remark in room.remarks(seats, seconds):
        progress.warn(remark)
        progress.data["warnings"].append({"message": remark})
    return class_report.made(room.name, seats, kubeconfigs.folder, progress.data["warnings"])


def _status(room: Classroom) -> Report:
    from meshdemo.engines.cluster.classroom import progress
    from meshdemo.report import class_report
    from meshdemo.tour import lessons

    students = room.students()
    if not students:
        hint = f"Make it: meshdemo class up --students 20 --name {room.name}"
        raise EnvironmentFailed(f"there is no class {room.name} on this cluster", hint=hint)
    titles = {lesson.number: lesson.title("en") for lesson in lessons.every()}
    return class_report.status(room.name, progress.look(room.kube, students), titles)


def _watch(ctx: typer.Context, room: Classroom) -> NoReturn:
    """Show how far they are again and again, whenever that has changed."""
    out, shown = ctx.obj.progress.out, None
    while True:
        report = _status(room)
        if report.data != shown:
            shown = report.data
            out.clear()
            report.show(out)
            ctx.obj.progress.say("watching; Ctrl-C ends it")
        time.sleep(PAUSE)


def _down(room: Classroom, kubeconfigs: Kubeconfigs) -> Report:
    from meshdemo.engines.results import Check
    from meshdemo.report import reports

    checks = list(room.down())
    if all(check.ok for check in checks):
        removed = kubeconfigs.remove()
        detail = f"{removed} removed from {kubeconfigs.folder}" if removed else "there was none"
        checks.append(Check("no kubeconfig of the class is left", ok=True, detail=detail))
    return reports.checked(checks, f"nothing of the class {room.name} is left")
