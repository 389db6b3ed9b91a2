"""How our commands differ from typer's own: shared options, plain values, grouped help.

The shared options are declared once, as the root callback's. Each command takes them too and
leaves what it finds with the root, so that they work before and after the command's name, and
the later one counts.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from enum import Enum
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from meshdemo.cli import command_spelling
from meshdemo.cli.usage import unknown_command
from meshdemo.report.wrapping import with_reasons
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# typer has its own click inside, and no public names for these.
Context: TypeAlias = Any
Param: TypeAlias = Any
Formatter: TypeAlias = Any
ClickCommand: TypeAlias = Any
Result: TypeAlias = Any

OPTIONAL_VALUES = {"--stand-in": "all"}
"""Options that may stand without a value, and what they mean then."""
SHARED = "Options on every command"
"""The help panel of the shared options; it is also how they are known."""
EXAMPLES = "\nExamples:\n"
"""What comes before the examples in a command's docstring."""


class Command(TyperCommand):
    """A command that takes the shared options as well.

    Its help ends with examples, from the docstring: what follows ``Examples:``, each a line with
    its reason after ``  # ``. The shared options are explained in the root's help alone.
    """

    def get_params(self, ctx: Context) -> list[Param]:
        """Give its own options and arguments, the shared ones, and last ``--help``."""
        own, root = super().get_params(ctx), ctx.find_root().command
        return [*_plain(own), *_plain(p for p in root.params if _is_shared(p))]

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse, and hand the shared options that were given to the root."""
        if ctx.obj is not None:  # None while a shell completes
            ctx.obj.command = ctx.info_name
        own = {name for param in self.params for name in param.opts} & OPTIONAL_VALUES.keys()
        rest = super().parse_args(ctx, list(_with_values(args)) if own else args)
        root = ctx.find_root()
        for param in root.command.params:
            if not (_is_shared(param) and param.name in ctx.params):
                continue
            value = ctx.params.pop(param.name)
            source = ctx.get_parameter_source(param.name)
            if source is not None and source.name == "COMMANDLINE":
                root.params[param.name] = value
        return rest

    def invoke(self, ctx: Context) -> Result:
        """Read the shared options, so that whatever it refuses speaks of their mesh; and run it."""
        from meshdemo.cli.invocation import read_settings  # it imports us

        read_settings(ctx)
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Give the usage line's arguments as they are declared: a metavar has its own brackets."""
        arguments = (p for p in self.get_params(ctx) if p.param_type_name == "argument")
        return ["[OPTIONS]", *(str(p.metavar) for p in arguments)]

    def format_help_text(self, ctx: Context, formatter: Formatter) -> None:
        """Write what it does, and examples."""
        _write_text(self.help, ctx, formatter)

    def format_options(self, ctx: Context, formatter: Formatter) -> None:
        """Write its own options, and name the shared ones."""
        params = self.get_params(ctx)
        _write_options([p for p in params if not _is_shared(p)], ctx, formatter)
        names = ", ".join("/".join(sorted(p.opts, key=len)) for p in params if _is_shared(p))
        with formatter.section(f"{SHARED}, see {ctx.find_root().command_path} --help"):
            formatter.write_text(names)


def _with_values(args: Sequence[str]) -> Iterator[str]:
    """Give the arguments with the value of an option that may stand without one: typer has none."""
    for word, following in zip(args, [*args, "-"][1:], strict=True):
        yield word
        if word in OPTIONAL_VALUES and following.startswith("-"):
            yield OPTIONAL_VALUES[word]


class Commands(MutableMapping[str, Any]):
    """The commands by name. typer takes long to build one, so only the one that runs is built."""

    def __init__(self, panels: Mapping[str, Mapping[str, Callable[..., Any]]]) -> None:
        self.panels = panels
        self.functions = {n: (f, panel) for panel, fs in panels.items() for n, f in fs.items()}
        self.built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> ClickCommand:
        if name not in self.built:
            function, panel = self.functions[name]
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            # What follows exec's command is the command's own, also if it looks like an option.
            settings = {"allow_interspersed_args": name != "exec"}
            declare = app.command(
                name, cls=Command, rich_help_panel=panel, context_settings=settings
            )
            declare(function)
            self.built[name] = get_command(app)
        return self.built[name]

    def __setitem__(self, name: str, command: ClickCommand) -> None:
        self.built[name] = command

    def __delitem__(self, name: str) -> None:
        del self.functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)


def summary(function: Callable[..., Any]) -> str:
    """Give the first line of a command's help."""
    return (function.__doc__ or "").strip().partition("\n")[0]


class Group(TyperGroup):
    """The root: its help shows the commands in groups."""

    commands: Commands

    def get_params(self, ctx: Context) -> list[Param]:
        """Give the options that stand before a command's name."""
        return _plain(super().get_params(ctx))

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - typer's signature
        """Name the commands, and build none."""
        return list(self.commands)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Find the command, or say which one was meant."""
        is_word = not (args[0].startswith("-") or ctx.resilient_parsing)
        if is_word and args[0] not in self.commands:
            raise unknown_command(args[0], self.commands)
        return super().resolve_command(ctx, args)

    def format_help_text(self, ctx: Context, formatter: Formatter) -> None:
        """Write what it does, and examples."""
        _write_text(self.help, ctx, formatter)

    def format_options(self, ctx: Context, formatter: Formatter) -> None:
        """Write the commands first: they are what a person looks for."""
        widest = max(map(len, self.commands))
        for panel, functions in self.commands.panels.items():
            with formatter.section(panel):
                formatter.write_dl([(n.ljust(widest), summary(f)) for n, f in functions.items()])
        _write_options(self.get_params(ctx), ctx, formatter)


class _PlainValue:
    """Converts what was typed. typer's way imports pydantic, which takes longer than a route."""

    def __init__(self, wanted: object, choices: Sequence[Any] | None) -> None:
        self.wanted, self.choices = wanted, choices

    @classmethod
    def of(cls, param: Param) -> _PlainValue | None:
        """Make one for a parameter of typer's, if this typer describes it as we know it."""
        described: Any = getattr(param, "type_descriptor", None)
        try:
            return cls(described.annotation, described.choices)
        except AttributeError:
            return None

    def coerce(self, value: Result, param: Param, ctx: Context) -> Result:
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
            message = f"{value!r} is not a whole number."
            raise typer.BadParameter(message, ctx=ctx, param=param) from None

    def choose(self, value: str, param: Param, ctx: Context) -> Result:
        if isinstance(value, Enum):
            return value
        for choice in self.choices or ():
            if value == (choice.value if isinstance(choice, Enum) else choice):
                return choice
        names = [str(c.value if isinstance(c, Enum) else c) for c in self.choices or ()]
        message = f"{value!r} is not one of {', '.join(names)}."
        raise typer.BadParameter(message, ctx=ctx, param=param)


def _plain(params: Iterable[Param]) -> list[Param]:
    """Let typer's parameters convert values our way.

    There is no public seam for it. A typer that has changed inside keeps its own way, which is
    slower, and as correct.
    """
    found = list(params)
    for param in found:
        if getattr(param, "_runtime_param", False) is None and (ours := _PlainValue.of(param)):
            param._runtime_param = ours  # noqa: SLF001 - see above
    return found


def examples(text: str | None) -> list[tuple[str, str]]:
    """Give the examples of a docstring, each a command and the reason for it."""
    lines = cleandoc(text or "").partition(EXAMPLES)[2].splitlines()
    split = (line.strip().partition("  # ") for line in lines)
    return [(command, why) for command, _, why in split if command]


def _write_text(text: str | None, ctx: Context, formatter: Formatter) -> None:
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text((text or "").partition(EXAMPLES)[0])
    found = examples(text)
    if not found:
        return
    spelled = command_spelling.commands(ctx.find_root().command.commands, Settings())
    formatter.write_paragraph()
    formatter.write_heading("Examples")
    rows = [(spelled.spell(command), why) for command, why in found]
    for line in with_reasons(rows, formatter.width):
        formatter.write(f"{line}\n")


def _is_shared(param: Param) -> bool:
    return getattr(param, "rich_help_panel", None) == SHARED


def _write_options(params: Sequence[Param], ctx: Context, formatter: Formatter) -> None:
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], SHARED: []}
    for param in params:
        if record := param.get_help_record(ctx):
            kind = "Options"
            if param.param_type_name == "argument":  # of which typer would name Python's type
                kind, record = "Arguments", (str(param.metavar), param.help or "")
            panels[SHARED if _is_shared(param) else kind].append(record)
    for panel, rows in panels.items():
        if rows:
            with formatter.section(panel):
                formatter.write_dl(rows)
