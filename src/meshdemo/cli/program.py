"""The program: its commands, and the one place where it ends with an exit code."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command

from meshdemo.cli import command_spelling, exit_reporting, options, signals, streams, usage
from meshdemo.cli.classroom import class_
from meshdemo.cli.command import Commands, Group
from meshdemo.cli.delete import delete
from meshdemo.cli.deploy import deploy
from meshdemo.cli.diff import diff
from meshdemo.cli.doctor import doctor
from meshdemo.cli.down import down
from meshdemo.cli.execute import exec_, shell
from meshdemo.cli.explain import explain
from meshdemo.cli.get import describe, get
from meshdemo.cli.images import images
from meshdemo.cli.inject import inject
from meshdemo.cli.install import install
from meshdemo.cli.invocation import Invocation
from meshdemo.cli.lint import lint
from meshdemo.cli.logs import logs
from meshdemo.cli.manifests import manifests
from meshdemo.cli.proxy_url import proxy_url
from meshdemo.cli.route import route
from meshdemo.cli.status import status
from meshdemo.cli.test import test
from meshdemo.cli.tour import tour
from meshdemo.cli.ui import ui
from meshdemo.cli.up import up
from meshdemo.cli.usage import PROGRAM
from meshdemo.cli.verify import verify
from meshdemo.cli.version import version
from meshdemo.cli.watch import watch
from meshdemo.errors import (
    ExitCode,
    Interrupted,
    MeshdemoError,
    UsageError,
)
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.report import Report

COMPLETION = "_MESHDEMO_COMPLETE"
"""Set by the shell while it completes a command line; typer acts on it."""
PANELS: dict[str, dict[str, Callable[..., Any]]] = {
    "The walkthrough": {"up": up, "down": down, "tour": tour, "class": class_},
    "Step by step": {
        "install": install,
        "deploy": deploy,
        "inject": inject,
        "route": route,
        "verify": verify,
        "delete": delete,
    },
    "Rules in files": {"test": test, "diff": diff, "lint": lint},
    "Look inside": {
        "status": status,
        "get": get,
        "describe": describe,
        "ui": ui,
        "watch": watch,
        "explain": explain,
        "doctor": doctor,
        "logs": logs,
        "exec": exec_,
        "shell": shell,
        "proxy-url": proxy_url,
    },
    "About": {"version": version, "manifests": manifests, "images": images},
}


@cache
def build() -> Group:
    """Put the root command together, once; each other one is built when it is asked for."""
    app = typer.Typer(
        name=PROGRAM,
        cls=Group,
        no_args_is_help=True,
        rich_markup_mode=None,  # rich help takes three times as long to show
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        epilog="Exit codes: 0 done or met, 1 not met, 2 usage or bad input, 3 environment, "
        "4 inconclusive or timed out, 70 a bug of ours, 130 interrupted, 143 terminated.",
    )
    app.callback()(options.shared)
    root = get_command(app)
    assert isinstance(root, Group)  # noqa: S101 - for the type checker: cls says so
    root.commands = Commands(PANELS)
    return root


def run(arguments: list[str], invocation: Invocation) -> int:
    """Run a command line, print what came of it, and give the exit code."""
    command = build()
    invocation.progress.spell(command_spelling.commands(command.commands, Settings()))
    if COMPLETION in os.environ:
        command.main(arguments, prog_name=PROGRAM)
    try:
        streams.refuse_folder()
        with command.make_context(PROGRAM, [*arguments], obj=invocation) as ctx:
            report: Report = command.invoke(ctx)
            return exit_reporting.finish(invocation, report)
    except typer.Exit as end:
        return end.exit_code
    except SystemExit as end:  # typer's completion options end so
        return int(end.code or 0)
    except typer.TyperException as error:
        if not arguments:  # then it is the help
            invocation.progress.err.line(error.message.rstrip("\n"))
            return ExitCode.BAD_INPUT
        failure: MeshdemoError = usage.refused(error)
    except typer.Abort as aborted:
        failure = signals.stopped(aborted) or Interrupted("interrupted")
    except MeshdemoError as error:
        failure = signals.stopped(error) or error
    if isinstance(failure, UsageError) and not failure.hint:
        failure.hint = f"See {PROGRAM} {invocation.command} --help"
    return exit_reporting.fail(invocation, failure, arguments)
