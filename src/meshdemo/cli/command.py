"""How our commands differ from typer's own: shared options, plain values, grouped help.

The shared options are declared once, as the root callback's. Each command takes them too and
leaves what it finds with the root, so that they work before and after the command's name, and
the later one wins.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from meshdemo.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARED = "Options on every command"
"""The help panel of the shared options; it is also how they are known."""


class Command(TyperCommand):
    """A command that takes the shared options as well."""

    def get_params(self, ctx: typer.Context) -> list[Any]:
        """Give its own options and arguments, the shared ones, and last ``--help``."""
        own, root = super().get_params(ctx), ctx.find_root().command
        return [*_plain(own), *_plain(p for p in root.params if _is_shared(p))]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Parse, and hand the shared options that were given to the root."""
        rest = super().parse_args(ctx, args)
        root = ctx.find_root()
        for param in root.command.params:
            if not (_is_shared(param) and param.name in ctx.params):
                continue
            value = ctx.params.pop(param.name)
            source = ctx.get_parameter_source(param.name)
            if source is not None and source.name == "COMMANDLINE":
                root.params[param.name] = value
        return rest

    def invoke(self, ctx: typer.Context) -> Any:  # noqa: ANN401 - typer's own signature
        """Run it; Ctrl-C becomes an error like others, so that it is reported like others."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise Interrupted("interrupted") from interrupt

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # noqa: ANN401 - typer's
        """Write the options in groups: its own, then the shared ones."""
        _write_options(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """The root: its help shows the commands in groups."""

    def get_params(self, ctx: typer.Context) -> list[Any]:
        """Give the options that stand before a command's name."""
        return _plain(super().get_params(ctx))

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # noqa: ANN401 - typer's
        """Write the commands first: they are what a person looks for."""
        panels: dict[str, list[tuple[str, str]]] = {}
        width = formatter.width - 4 - max(map(len, self.commands))
        for name in self.list_commands(ctx):
            command = self.commands[name]
            if not command.hidden:
                panel = str(getattr(command, "rich_help_panel", None) or "Commands")
                panels.setdefault(panel, []).append((name, command.get_short_help_str(width)))
        widest = max(map(len, self.commands))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(widest), text) for name, text in rows])
        _write_options(self.get_params(ctx), ctx, formatter)


class _PlainValue:
    """Converts what was typed. typer's way imports pydantic, which takes longer than a route."""

    def __init__(self, param: Any) -> None:  # noqa: ANN401 - typer has no public name for it
        self.wanted = param.type_descriptor.annotation
        self.choices = param.type_descriptor.choices

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:  # noqa: ANN401 - typer's
        if value is None or isinstance(value, bool | int):
            return value
        if not isinstance(value, str):
            return list(value)
        if self.choices is not None:
            return self.choose(value, param, ctx)
        if self.wanted is not int:
            return value
        try:
            return int(value)
        except ValueError:
            message = f"{value!r} is no whole number."
            raise typer.BadParameter(message, ctx=ctx, param=param) from None

    def choose(self, value: str, param: Any, ctx: typer.Context) -> Any:  # noqa: ANN401 - typer's
        if isinstance(value, Enum):
            return value
        for choice in self.choices:
            if value == (choice.value if isinstance(choice, Enum) else choice):
                return choice
        names = [str(c.value if isinstance(c, Enum) else c) for c in self.choices]
        message = f"{value!r} is not one of {', '.join(names)}."
        raise typer.BadParameter(message, ctx=ctx, param=param)


def _plain(params: Iterable[Any]) -> list[Any]:
    """Let typer's parameters convert values our way; another typer just ignores the attribute."""
    found = list(params)
    for param in found:
        if getattr(param, "_runtime_param", False) is None:
            param._runtime_param = _PlainValue(param)  # noqa: SLF001 - there is no public seam
    return found


def _is_shared(param: Any) -> bool:  # noqa: ANN401 - typer has no public name for it
    return getattr(param, "rich_help_panel", None) == SHARED


def _write_options(params: Sequence[Any], ctx: typer.Context, formatter: Any) -> None:  # noqa: ANN401 - typer's
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], SHARED: []}
    for param in params:
        if record := param.get_help_record(ctx):
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            panels[SHARED if _is_shared(param) else kind].append(record)
    for panel, rows in panels.items():
        if rows:
            with formatter.section(panel):
                formatter.write_dl(rows)
