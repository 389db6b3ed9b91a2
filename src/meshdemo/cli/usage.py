"""How a command line that cannot be read is refused: in our own words, with what was meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import typer

PROGRAM = "meshdemo"
MEANT = {
    **dict.fromkeys(("apply", "create", "init", "run", "start"), "up"),
    **dict.fromkeys(("clean", "destroy", "remove", "rm", "stop", "uninstall"), "down"),
    **dict.fromkeys(("list", "ls", "ps", "show"), "status"),
    **{kind: f"get {kind}" for kind in ("dr", "pods", "services", "svc", "vs")},
    **dict.fromkeys(("attach", "bash", "sh", "ssh"), "shell"),
    **dict.fromkeys(("assert", "check", "prove"), "verify"),
    **dict.fromkeys(("shift", "split", "weight"), "route"),
    **dict.fromkeys(("analyze", "validate"), "lint"),
    "curl": "exec -- curl",
    "help": "--help",
    "kube-inject": "inject",
}
"""What words of other programs, of kubectl's and docker's above all, are called here."""


def refused(error: typer.TyperException) -> UsageError:
    """Say what typer refuses as we say it ourselves; it hides the names of its errors."""
    context: Any = getattr(error, "ctx", None)
    option = getattr(error, "option_name", "")
    possible = getattr(error, "possibilities", None)
    param = getattr(error, "param", None)
    said = error.message.rstrip(".")
    meant = ""
    if param is not None:
        message = f"{_name(param)}: {said}" if said else f"{_name(param)} is missing"
    elif option and hasattr(error, "possibilities"):
        message = f"there is no option {option}"
        close = get_close_matches(option, possible or (), 1)
        meant = f"Did you mean {close[0]}? " if close else ""
    else:
        text = error.format_message().rstrip(".")
        message = text[:1].lower() + text[1:]
    command = context.command_path if context else PROGRAM
    return UsageError(message, hint=f"{meant}See {command} --help")


def unknown_command(word: str, names: Iterable[str]) -> UsageError:
    """Refuse a command that is not there, with the one that was probably meant."""
    known = list(names)
    found = get_close_matches(word, known, 2) or [n for n in known if n.startswith(word)]
    if word in MEANT:
        found = [MEANT[word]]
    meant = " or ".join(f"{PROGRAM} {name}" for name in found)
    hint = f"Did you mean {meant}?" if meant else f"See {PROGRAM} --help"
    return UsageError(f"there is no command {word}", hint=hint)


def _name(param: Any) -> str:  # noqa: ANN401 - see refused()
    """Give an option's long name, or what an argument stands for."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name)
    return str(max(param.opts, key=len))
