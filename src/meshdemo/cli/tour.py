"""``meshdemo tour``: lessons that check themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for, engines_of_senders, read_settings
from meshdemo.engines.protocol import CLUSTER
from meshdemo.errors import MeshdemoError, UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.cli.invocation import Invocation
    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.progress import Desk
    from meshdemo.tour.telling import Teller
    from meshdemo.tour.words import Words

ACTIONS = ("list", "check", "hint", "goto", "reset", "solution", "export")
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="en|zh",
        help="The language of the lessons. [default: MESHDEMO_LANG, else by your locale]",
    ),
]


def tour(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[list|check|hint|goto|reset|solution|export] [N]",
            show_default=False,
            help="N is a lesson's number or name; without it the lesson at hand is meant. "
            "export takes markdown or killercoda, and a folder. "
            "Without all of it the tour begins, or goes on.",
        ),
    ] = None,
    lang: Lang = None,
    spoil: Annotated[
        bool, typer.Option("--spoil", help="Show the solution of a lesson that is not passed.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the solution into force; your file stays.")
    ] = False,
) -> Report:
    """Learn traffic management by lessons that check themselves, in English or Chinese.

    Each lesson says what to do, and has a file to edit. check applies the file if you edited it,
    sends requests, and says what came and why. In a terminal the tour stays, and checks each save,
    and each change of the mesh.
    Quit at any time: tour goes on where you were.

    check: exit code 0: passed; 1: not passed; 4: inconclusive.

    Examples:
        meshdemo tour  # begin, or go on
        meshdemo tour check  # is it right?
        meshdemo tour hint  # one hint more with each call
        meshdemo tour goto 5 --lang zh  # another lesson, in Chinese
        meshdemo tour export killercoda scenarios/  # the same lessons there
        meshdemo tour reset  # the lesson as it begins; what you wrote is kept
    """
    from meshdemo.language import chosen as language
    from meshdemo.tour.progress import Desk
    from meshdemo.tour.telling import Teller
    from meshdemo.tour.words import Words

    action, number = _read(words or [])
    if (spoil or apply) and action != "solution":
        raise UsageError("--spoil and --apply are about tour solution")
    spoken = Words(language(lang))
    if action == "export":
        return _export(ctx, (words or [])[1:], spoken)
    desk = Desk(read_settings(ctx).state_dir)
    teller = Teller(desk, spoken)
    if action == "list":
        return teller.listed()
    lesson = _lesson(action, number, desk)
    return _done(ctx, desk, teller, lesson, action, spoil=spoil, apply=apply)


def _done(
    ctx: typer.Context,
    desk: Desk,
    teller: Teller,
    lesson: Lesson,
    action: str,
    *,
    spoil: bool,
    apply: bool,
) -> Report:
    """Do what is asked for with a lesson."""
    if action == "hint":
        return _hint(desk, teller, lesson)
    if action == "check":
        return _check(ctx, desk, teller, lesson)
    if action == "solution":
        return _solution(ctx, desk, teller, lesson, spoil=spoil, apply=apply)
    report = _begin(ctx, desk, teller, lesson, action)
    if not action and _is_watched(ctx):
        return _stay(ctx, desk, teller, lesson, report)
    return report


def _read(words: list[str]) -> tuple[str, str]:
    """Give what is to be done, and the lesson as it was said. Raises UsageError."""
    action, *rest = words or [""]
    if action and action not in ACTIONS:
        hint = f"There are {', '.join(ACTIONS)}; as in meshdemo tour check"
        raise UsageError(f'tour has no "{action}"', hint=hint)
    if action == "export":
        return action, ""
    if len(rest) > 1 or (rest and action == "list"):
        raise UsageError(f"too many words: {' '.join(rest)}", hint="As in meshdemo tour check 3")
    if action == "goto" and not rest:
        raise UsageError("goto says no lesson", hint="As in meshdemo tour goto 3")
    return action, rest[0] if rest else ""


def _lesson(action: str, said: str, desk: Desk) -> Lesson:
    """Find the lesson that is meant: the one at hand, and to go on, the next one to pass."""
    from meshdemo.tour import lessons

    if said:
        return lessons.find(said)
    every = lessons.every()
    names, passed = [lesson.name for lesson in every], desk.progress.passed
    here = names.index(desk.progress.lesson) if desk.progress.lesson in names else 0
    if action or desk.progress.again:
        return every[here]
    left = (lesson for lesson in every[here:] + every[:here] if lesson.name not in passed)
    return next(left, every[here])


def _begin(ctx: typer.Context, desk: Desk, teller: Teller, lesson: Lesson, action: str) -> Report:
    """Put the lesson in force where that is asked for or needed, and show it."""
    from meshdemo.tour import placing, staging
    from meshdemo.tour.progress import mesh

    engine = engine_for(ctx)
    lesson = placing.placed(lesson, mesh(engine.where), desk.folder)
    if action or not (desk.progress.is_staged(lesson, engine.where) and engine.pods()):
        timeout = ctx.obj.settings.timeout
        story = staging.begin(engine, lesson, desk, timeout, chosen=bool(action))
        ctx.obj.progress.follow(story)
    kept = desk.renew(lesson) if action == "reset" else None
    return teller.lesson(lesson, kept, is_reset=action == "reset")


def _where_it_is(desk: Desk, lesson: Lesson) -> Lesson:
    """Give a lesson as it is in the mesh where the tour was last."""
    from meshdemo.tour import placing

    staged = desk.progress.staged
    return placing.placed(lesson, staged.mesh if staged else (), desk.folder)


def _hint(desk: Desk, teller: Teller, lesson: Lesson) -> Report:
    """Show one hint more; after the last one, that one again."""
    lesson = _where_it_is(desk, lesson)
    count = len(lesson.hints(teller.language))
    with desk.changing() as progress:
        shown = min(progress.hints.get(lesson.name, 0) + 1, count)
        progress.hints[lesson.name] = shown
    return teller.hint(lesson, shown)


def _check(ctx: typer.Context, desk: Desk, teller: Teller, lesson: Lesson) -> Report:
    from meshdemo.tour import checking, placing
    from meshdemo.tour.progress import mesh

    choice = chosen(ctx)
    own = engine_for(ctx, choice)
    lesson = placing.placed(lesson, mesh(own.where), desk.folder)
    open_engine = engines_of_senders(ctx, choice, own)
    story = checking.check(own, open_engine, lesson, desk, ctx.obj.settings.timeout)
    return teller.checked(lesson, ctx.obj.progress.follow(story))


def _solution(
    ctx: typer.Context, desk: Desk, teller: Teller, lesson: Lesson, *, spoil: bool, apply: bool
) -> Report:
    from meshdemo.tour import placing, staging
    from meshdemo.tour.progress import mesh

    if apply:
        engine = engine_for(ctx)
        lesson = placing.placed(lesson, mesh(engine.where), desk.folder)
        timeout = ctx.obj.settings.timeout
        ctx.obj.progress.follow(staging.solve(engine, lesson, desk, timeout))
    elif not (spoil or lesson.name in desk.progress.passed):
        message = f"the solution of lesson {lesson.number} is shown when you have passed it"
        hint = (
            f"Take a hint: meshdemo tour hint {lesson.number}. "
            f"Or: meshdemo tour solution {lesson.number} --spoil"
        )
        raise UsageError(message, hint=hint)
    else:
        lesson = _where_it_is(desk, lesson)
    return teller.solution(lesson, is_applied=apply)


def _export(ctx: typer.Context, said: list[str], words: Words) -> Report:
    """Write the lessons for another place into a new folder."""
    from meshdemo.report import reports
    from meshdemo.tour import export, lessons, placing
    from meshdemo.tour.export import killercoda, markdown

    if len(said) != 2 or said[0] not in export.FORMS:  # noqa: PLR2004 - a form and a folder
        hint = "As in meshdemo tour export markdown lessons/"
        raise UsageError(f"export says {' or '.join(export.FORMS)}, and a folder", hint=hint)
    form, folder = said[0], Path(said[1])
    export.require_empty(folder)
    settings = read_settings(ctx)
    every = lessons.every()
    is_for_cluster = settings.engine == CLUSTER or bool(settings.context or settings.kubeconfig)
    with TemporaryDirectory() as copies:
        if is_for_cluster and form == "markdown":
            every = tuple(placing.copied(lesson, Path(copies), {}) for lesson in every)
        write = markdown.files if form == "markdown" else killercoda.files
        texts = dict(write(every, words))
    export.write(folder, texts)
    return reports.files_written({str(folder / name): "created" for name in texts})


def _is_watched(ctx: typer.Context) -> bool:
    """Tell whether somebody sits before it who may save a file and type."""
    run: Invocation = ctx.obj
    is_text = run.settings is not None and run.settings.output != "json"
    return is_text and run.progress.out.interactive and sys.stdin.isatty()


def _stay(ctx: typer.Context, desk: Desk, teller: Teller, lesson: Lesson, report: Report) -> Report:
    """Show a lesson, and check each save, until the learner quits."""
    from meshdemo.cli.exit_reporting import show_error
    from meshdemo.engines.protocol import say_nothing
    from meshdemo.tour import lessons, mesh_changes
    from meshdemo.tour.session import Session

    out = ctx.obj.progress.out
    report.show(out)

    def check(at_hand: Lesson) -> Report | None:
        try:
            return _check(ctx, desk, teller, at_hand)
        except MeshdemoError as error:  # such as a slip in the file: the learner goes on
            show_error(out, error)
            return None

    def go_on() -> tuple[Lesson, Report] | None:
        if not lessons.left(desk.progress.passed):
            return None
        following = _lesson("", "", desk)
        try:
            return following, _begin(ctx, desk, teller, following, "")
        except MeshdemoError as error:  # such as a cluster that cannot be reached just now
            show_error(out, error)
            return None

    mesh = mesh_changes.watch(ctx.obj.open_engine(chosen(ctx), say_nothing))

    def hint(each: Lesson) -> Report:
        return _hint(desk, teller, each)

    session = Session(teller, out, mesh, check=check, hint=hint, go_on=go_on)
    session.stay(lesson, sys.stdin.fileno())
    return Report()
