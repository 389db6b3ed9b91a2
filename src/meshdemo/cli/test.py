"""``meshdemo test``: rules tested by real requests, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from meshdemo.cli import values
from meshdemo.cli.invocation import read_settings
from meshdemo.errors import InputError, UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.objects.repository import Repository
    from meshdemo.suite.model import TestFile
    from meshdemo.suite.preparing import Prepared

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Files of route tests, and folders with some below them. [default: this folder]",
        show_default=False,
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rules",
        metavar="PATH",
        help="A file, a folder or - with the rules, in place of those that the files name. "
        "May repeat.",
    ),
]
Junit = Annotated[
    str | None,
    typer.Option("--junit", metavar="FILE", help="Also write the results as JUnit's XML."),
]
FailUnder = Annotated[
    str | None,
    typer.Option(
        "--fail-under",
        metavar="PERCENT",
        help="The least part of all rules, matches and destinations that the tests must touch.",
    ),
]
Convert = Annotated[
    str | None,
    typer.Option(
        "--convert",
        metavar="FILE",
        help="Write tests of istio-config-validator or router_check_tool as route tests, and send "
        "nothing.",
    ),
]
Write = Annotated[
    str | None,
    typer.Option(
        "--write",
        metavar="FILE",
        help="Send the requests of the tests, or else requests that follow from the matches of "
        "--rules, and write what comes back as route tests; then run them.",
    ),
]
Live = Annotated[
    bool,
    typer.Option("--live", help="Ask the mesh that is up, and change nothing, in place of rules."),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Run again what a change of a file concerns, until Ctrl-C."),
]


def test(
    ctx: typer.Context,
    paths: Paths = None,
    rules: Rules = None,
    junit: Junit = None,
    fail_under: FailUnder = None,
    convert: Convert = None,
    write: Write = None,
    live: Live = False,
    watch: Watch = False,
) -> Report:
    """Test rules by real requests: rules in, requests in, what really happened out.

    A file says which rules, which requests, and what must come back. It gets a private mesh of real
    Envoys for the moment, with stand-ins for all pods: no cluster is needed, nothing but rules, and
    a mesh of yours is left alone.

    Tests of istio-config-validator (testCases) and of Envoy's router_check_tool are read as they
    are, with --rules; --convert writes them as route tests.

    Exit code 0: all as expected; 1: not so; 4: inconclusive.

    Examples:
        meshdemo test  # all route tests below this folder
        meshdemo test tests/shop.meshtest.yaml --junit results.xml
        helm template . | meshdemo test --rules - tests/  # what a chart makes
        meshdemo test --rules rules/ --write shop.meshtest.yaml  # the first tests of a repository
        meshdemo test --live tests/  # the mesh that is up, local or a cluster
        meshdemo test --fail-under 100  # every rule, match and destination is touched
    """
    from meshdemo.report import files as output
    from meshdemo.report import suite_junit, suite_report
    from meshdemo.suite import preparing, reading, running

    timeout = read_settings(ctx).timeout
    if watch:
        others = {"--junit": junit, "--write": write, "--convert": convert, "--live": live}
        _watch(ctx, paths or ["."], rules or (), [name for name, said in others.items() if said])
    least = None if fail_under is None else 100 * float(_percentage(fail_under))
    if junit is not None:
        output.require_writable("--junit", Path(junit), "results.xml")
    if convert is not None:
        output.require_new("--convert", Path(convert), "shop.meshtest.yaml")
    known = None
    if write:
        known = _written(Path(write), paths or (), rules or (), timeout)
        paths = [write]
        ctx.obj.progress.say(f"written: {write}; what it says is run now")
    files = reading.read(paths or ["."], rules=rules or ())
    if convert:
        return suite_report.converted(files, Path(convert))
    alive = [file for file in files if live or file.live]
    prepared = preparing.prepare_all((file for file in files if file not in alive), known)
    prepared += _prepared_live(ctx, alive, timeout)
    results = [running.run_prepared(each, timeout=timeout) for each in prepared]
    if junit:
        suite_junit.write(Path(junit), results)
    return suite_report.tested(results, least)


def _watch(
    ctx: typer.Context, paths: Sequence[str], rules: Sequence[str], others: Sequence[str]
) -> NoReturn:
    """Run tests again and again, and show each time what came of them."""
    from meshdemo.report import suite_report
    from meshdemo.suite import watching

    settings = read_settings(ctx)
    if settings.output == "json":
        raise UsageError("--watch: -o json is one document, and there is no end to watching")
    if others:
        raise UsageError(f"--watch: leave out {', '.join(others)}")
    if "-" in (*paths, *rules):
        raise UsageError("--watch: standard input does not change", hint="Name a file or folder.")
    progress = ctx.obj.progress
    for found in watching.rounds(paths, rules, settings.timeout):
        if isinstance(found, InputError):
            progress.out.advise(f"error: {found.message}")
            for problem in found.problems:
                progress.out.advise(f"  {problem}")
        else:
            suite_report.tested(found).show(progress.out)
        progress.say("watching for changes; Ctrl-C ends it")
    raise AssertionError  # there is no end to rounds


def _prepared_live(
    ctx: typer.Context, files: Sequence[TestFile], timeout: float
) -> Iterator[Prepared]:
    """Check files against the mesh that is up, which is opened if there are any."""
    from msgspec.structs import replace

    from meshdemo.cli.invocation import chosen, engine_for, engines_of_senders
    from meshdemo.suite import preparing
    from meshdemo.suite.live_mesh import LiveMesh

    if not files:
        return
    choice = chosen(ctx, changes=False)
    own = engine_for(ctx, choice)
    open_engine = engines_of_senders(ctx, choice, own)
    for file in files:
        is_said = file.item is not None and file.item.namespace
        namespace = file.namespace if is_said else own.where.namespace
        mesh = LiveMesh(open_engine, namespace, file.rules, timeout)
        yield preparing.prepare_live(replace(file, namespace=namespace), mesh)


def _written(
    target: Path, paths: Sequence[str], rules: Sequence[str], timeout: float
) -> Repository | None:
    """Write route tests by what comes back, and give the rules that they are about."""
    from meshdemo.report import files as output
    from meshdemo.suite import preparing, reading, writing
    from meshdemo.suite.model import DEFAULT_NAMESPACE

    output.require_new("--write", target, "shop.meshtest.yaml")
    if not paths and not rules:
        raise UsageError("--write: which rules?", hint="As in: --rules rules/ --write FILE")
    if paths:
        files = reading.read(paths, rules=rules)
        if len(files) > 1:
            hint = "Name one: they have rules of their own."
            raise UsageError(f"--write: there are {len(files)} files of tests", hint=hint)
        prepared = preparing.prepare(files[0])
    else:
        prepared = writing.derived(rules, target, DEFAULT_NAMESPACE)
    writing.write(prepared, target, timeout)
    return prepared.rules


def _percentage(text: str) -> float:
    if text.strip().rstrip("% ") in ("0", ""):
        return 0.0
    return float(values.share(text, "--fail-under", most=100))
