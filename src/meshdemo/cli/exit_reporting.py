"""How a run ends: its result or its error on the right stream, and the exit code.

It must work when next to nothing else does, so it imports little.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any

from meshdemo.cli import signals, streams
from meshdemo.errors import (
    EnvironmentFailed,
    ExitCode,
    Inconclusive,
    Interrupted,
    MeshdemoError,
    Terminated,
    advice,
)
from meshdemo.language import joined
from meshdemo.report import document
from meshdemo.report.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.cli.invocation import Invocation
    from meshdemo.report import Report
    from meshdemo.report.github import Told

ZERO_OR_THREE = ("doctor", "status")
"""They only say how it is. Without a verdict there is nothing to be inconclusive about."""
GO_ON = "The same command again goes on from there; meshdemo down removes what is there."
AFTER_A_SIGNAL = {
    **dict.fromkeys(("up", "deploy", "inject", "route"), GO_ON),
    "install": "meshdemo install ends what was begun, and meshdemo down --all removes it.",
    "down": "meshdemo down removes the rest.",
    "verify": "Nothing is proved: the same command again measures anew.",
    "class": "The same command again goes on where this one ended.",
    "tour": "Nothing is lost: meshdemo tour goes on from here.",
    "exec": "What runs in the test client may run on there.",
}
"""What to do after a signal in the middle of these; of the others nothing is left."""
ODD = "The system refused this, and it is not foreseen; -v shows where."
TOLD = ("test", "lint", "verify")
"""Commands whose results are shown where a CI system has a place for them, their errors too."""
_SHORT_OUTPUT = re.compile(r"-[qv]*o(.*)")


def finish(run: Invocation, report: Report) -> int:
    """Print a result; give its exit code, or 3 if standard output could not be written."""
    out = run.progress.out
    if run.progress.json:
        data = report.data
        if not report.is_whole:
            data = document(run.command, report.exit_code, run.where, data)
        out.line(_written(run, data))
    else:
        report.show(out)
    if report.told:
        _tell_github(run, report.told)
    if out.failed and out.error:
        return _fail_by_output(run, out.error)
    return report.exit_code


def fail(run: Invocation | None, error: MeshdemoError, arguments: Sequence[str]) -> int:
    """Print an error: on standard error, or as the JSON document that was asked for."""
    from meshdemo.report.bars import show_tally
    from meshdemo.report.documents import error_document, tally_document

    is_signal = isinstance(error, Interrupted | Terminated)
    # What a signal has stopped: its counts prove nothing, and are true.
    measuring = run.progress.measuring if run and is_signal else None
    command = run.command if run else ""
    if command in ZERO_OR_THREE and isinstance(error, Inconclusive):
        error = EnvironmentFailed(error.message, hint=error.hint)
    if run and run.where and is_signal:
        error.hint = AFTER_A_SIGNAL.get(command, "")
    as_json = run.settings.output == "json" if run and run.settings else wants_json(arguments)
    if as_json:
        out = run.progress.out if run else Terminal(sys.stdout)
        where = run.where if run else None
        found = error_document(error)
        if measuring:
            found |= {"requests": measuring.wanted, "tally": tally_document(measuring.tally)}
        data = document(command, error.exit_code, where, found)
        out.line(_written(run, data))
    else:
        if run and measuring:
            show_tally(run.progress.out, f"{measuring.so_far} until then:", measuring.tally)
        show_error(_err(run), error)
    if run and command in TOLD:

        def told() -> Told:
            from meshdemo.report import github_results

            return github_results.failed(command, error)

        _tell_github(run, told)
    return error.exit_code


def _written(run: Invocation | None, data: dict[str, Any]) -> str:
    return json.dumps(data, indent=None if run and run.progress.json_lines else 2)


def _tell_github(run: Invocation, told: Callable[[], Told]) -> None:
    """Have GitHub show the result, where its runner runs us."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from meshdemo.report import github

        github.tell(told(), run.progress.err)


def fail_unforeseen(run: Invocation | None, error: BaseException, arguments: Sequence[str]) -> int:
    """Report what nobody foresaw: a bug, but for a standard output that takes nothing."""
    if stop := signals.stopped(error):
        return fail(run, stop, arguments)
    # typer writes its help and the version by itself.
    if isinstance(error, OSError) and (why := streams.output_error(error)):
        out = run.progress.out if run else Terminal(sys.stdout)
        out.give_up(why)
        return _fail_by_output(run, why) if out.failed else ExitCode.OK
    if _is_verbose(run, arguments):
        err = _err(run)
        for line in traceback.format_exception(error):
            err.line(line.rstrip("\n"))
        hint = "This is a bug of ours. Please report it with this traceback."
    else:
        hint = "This is a bug of ours. Please report it with what -v prints."
    if refused := _refused_by_system(error):
        return fail(run, refused, arguments)
    bug = MeshdemoError(f"{type(error).__name__}: {error}", hint=hint)
    fail(run, bug, arguments)
    return ExitCode.BUG


def _refused_by_system(error: BaseException) -> EnvironmentFailed | None:
    """Tell what the system did not let us do from what we did wrong."""
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        error = OSError(errno.EAGAIN, "no thread could be started")
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return EnvironmentFailed(f"{where}{error.strerror}", hint=advice(error) or ODD)


def _fail_by_output(run: Invocation | None, why: OSError) -> int:
    """Report on standard error alone: a document has nowhere to go."""
    message = f"standard output cannot be written: {why.strerror}"
    failure = EnvironmentFailed(message, hint=advice(why))
    show_error(_err(run), failure)
    return failure.exit_code


def _err(run: Invocation | None) -> Terminal:
    return run.progress.err if run else Terminal(sys.stderr)


def wants_json(arguments: Sequence[str]) -> bool:
    """Look for ``-o json`` in a command line that may be unreadable as a whole."""
    wanted, following = "", ""
    for argument in arguments:
        if argument == "--":
            break
        if following:
            wanted, following = argument, ""
        elif argument == "--output":
            following = argument
        elif argument.startswith("--output="):
            wanted = argument.partition("=")[2]
        elif match := _SHORT_OUTPUT.fullmatch(argument):
            wanted, following = (match[1], "") if match[1] else (wanted, argument)
    return wanted == "json"


def _is_verbose(run: Invocation | None, arguments: Sequence[str]) -> bool:
    if run and run.settings:
        return run.settings.verbose
    return "-v" in arguments or "--verbose" in arguments


def show_error(terminal: Terminal, error: MeshdemoError) -> None:
    """Say what failed, why, and what to do next."""
    from meshdemo.report import speaking

    terminal.advise(joined(" ", [terminal.paint("error:", "red"), error.message]))
    with terminal.indented("  "):
        for problem in getattr(error, "problems", ()):
            terminal.advise(speaking.of_problem(problem))
        if error.hint:
            terminal.advise(error.hint)
