"""``meshdemo exec`` and ``meshdemo shell``: be the test client."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from meshdemo.cli.invocation import chosen, engine_for, read_settings
from meshdemo.cli.options import From
from meshdemo.errors import UsageError
from meshdemo.report import Report

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine


def exec_(
    ctx: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="-- COMMAND [ARG...]",
            show_default=False,
            help="What to run, with this terminal if there is one.",
        ),
    ],
    stdin: Annotated[bool, typer.Option("--stdin", "-i", hidden=True)] = False,
    tty: Annotated[bool, typer.Option("--tty", "-t", hidden=True)] = False,
    sender: From = None,
) -> Report:
    """Run a command in the test client; its exit status is ours.

    With -o json its output stands in the document, the first 1 MiB of it.

    Examples:
        meshdemo exec -- curl -s http://app/env/version
        meshdemo exec --from app=reviews -- curl -s http://ratings:9080/  # in another pod
        meshdemo exec -- sh -c 'for i in 1 2 3; do curl -s http://app/env/version; echo; done'
    """
    from meshdemo.cli.capture import captured_stdout
    from meshdemo.report import reports

    rest = command[command.index("--") + 1 :] if "--" in command else command[1:]
    if stdin or tty:
        argv = rest if _names_client(command[0]) else command
        raise UsageError("exec takes no -i and no -t: it has your terminal anyway", hint=_as(argv))
    if _names_client(command[0]):
        raise UsageError("exec is always in the test client: it takes no pod", hint=_as(rest))
    engine = engine_for(ctx, chosen(ctx, sender=sender))
    if command[1:2] == ["--"]:
        _refuse_pod(engine, command[0], rest)
    if ctx.obj.settings.output != "json":
        return reports.only_code(engine.exec(command))
    with captured_stdout() as output:
        code = engine.exec(command)
    return reports.only_code(code, stdout=output.text, stdoutCut=output.is_cut)


def _names_client(word: str) -> bool:
    """Tell whether it is what one would say to ``kubectl exec``."""
    from meshdemo.engines.test_client import CLIENT

    kind, _, name = word.rpartition("/")
    return kind in ("", "pod", "po", "deploy", "deployment") and (
        name == CLIENT or name.startswith(f"{CLIENT}-")
    )


def _refuse_pod(engine: Engine, word: str, rest: list[str]) -> None:
    """Refuse a word before ``--`` that is a pod's; a program's ``--`` is its own."""
    name = word.rpartition("/")[2]
    for pod in engine.pods():
        if name in (pod.name, pod.workload):
            message = f"exec is in the test client, not in {name}: it takes no pod"
            # Those with a slash, and hashes, are of controllers: nobody would type them.
            own = {k: v for k, v in sorted(pod.labels.items()) if "/" not in k and "hash" not in k}
            labels = ",".join(f"{key}={value}" for key, value in own.items()) or "LABELS"
            there = f"meshdemo exec --from {labels} -- {shlex.join(rest) or 'COMMAND'}"
            hint = f"What {name} says: meshdemo logs {name}. In it: {there}. {_as(rest)}"
            raise UsageError(message, hint=hint)


def _as(argv: list[str]) -> str:
    return f"Type: meshdemo exec -- {shlex.join(argv) or 'COMMAND'}"


def shell(ctx: typer.Context, sender: From = None) -> Report:
    """Open a shell in the test client; its exit status is ours.

    Examples:
        meshdemo shell
        meshdemo shell --from app=reviews,version=v2  # in another pod
    """
    from meshdemo.report import reports

    if read_settings(ctx).output == "json":
        raise UsageError("a shell has no JSON", hint="Say meshdemo exec -o json -- COMMAND")
    return reports.only_code(engine_for(ctx, chosen(ctx, sender=sender)).exec(()))
