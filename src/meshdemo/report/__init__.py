"""All output: what a command found out, as text for people and as JSON for programs.

A command returns a Report; it never prints. JSON is one document on standard output for every
exit code, errors included. Its keys are in camelCase, as in the JSON of kubectl and istioctl:

    schema              "meshdemo/v1"
    command, exitCode   which command, and the exit status that goes with it
    engine, context, namespace    the mesh it is about; null where no engine was opened;
                        the namespace also where it is about several
    error               only for an error: message, hint, problems (each with message, file,
                        line, object, field, hint, code)
    requests, tally     beside an error that is a signal: what a measurement had counted till then
    ...                 the command's own keys, see the functions that make the reports

``get`` alone prints what kubectl prints: an object or a List, which can be applied again.

Durations are in seconds, shares are fractions of 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from meshdemo.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.results import Where
    from meshdemo.report.github import Told
    from meshdemo.report.terminal import Terminal

DOCUMENT_SCHEMA = "meshdemo/v1"


def _show_nothing(_: Terminal) -> None:
    """Print no text."""


class Report(Struct, frozen=True):
    """What a command found out."""

    data: dict[str, Any] = field(default_factory=dict)
    show: Callable[[Terminal], None] = _show_nothing
    """Prints it for a person."""
    exit_code: int = ExitCode.OK
    told: Callable[[], Told] | None = None
    """What GitHub is told of it, where it runs us."""
    is_whole: bool = False
    """Whether the data is the whole JSON document: objects in the form that kubectl gives them."""


def document(command: str, code: int, where: Where | None, data: dict[str, Any]) -> dict[str, Any]:
    """Put a command's own data into the document that all commands share."""
    return {
        "schema": DOCUMENT_SCHEMA,
        "command": command,
        "exitCode": int(code),
        "engine": where.engine if where else None,
        "context": (where.context or None) if where else None,
        "namespace": (where.namespace or None) if where else None,
        **data,
    }
