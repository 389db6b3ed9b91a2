"""Write the parts of docs/reference that follow from the sources: commands, options and fields.

    make reference

Each page is prose by hand, and one part between two marks that is written here. With ``--check``
nothing is written: exit status 1 names the pages that are not current.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshdemo.cli.command import EXAMPLES, SHARED, examples
from meshdemo.cli.program import build
from meshdemo.cli.usage import PROGRAM
from meshdemo.engines.local.fields import TABLE, kubernetes, other_kinds
from meshdemo.engines.local.fields.types import (
    INT32,
    Annotations,
    Base64,
    Choice,
    Duration,
    Integer,
    ListOf,
    MapOf,
    Percentage,
    Port,
    Record,
    Standing,
    Text,
)
from meshdemo.objects import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meshdemo.engines.local.fields.types import Row, Type

PAGES = Path(__file__).parent / "reference"
BEGIN = "<!-- Written by `make reference`: change the sources instead. -->\n"
END = "<!-- The end of what `make reference` writes. -->\n"
WORDS: dict[type[Type], str] = {
    Text: "text",
    Base64: "text in base64",
    Integer: "a whole number",
    Percentage: "0 to 100",
    Duration: "a duration, such as `1.5s`",
    Annotations: "a mapping of names to text",
}
"""What a field of such a type holds, where the docstring of the type says it otherwise."""


# --- commands ----------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    """Write every command with its arguments, options and examples, by typer's own account."""
    root = build()
    top = root.make_context(PROGRAM, [], resilient_parsing=True)
    shared = [param for param in root.get_params(top) if _is_shared(param)]
    yield from ("## Options on every command", "")
    yield from _options(shared, top)
    for panel, functions in root.commands.panels.items():
        yield from (f"## {panel}", "")
        for name in functions:
            yield from _command(root.commands[name], name, top)


def _command(command: Any, name: str, top: Any) -> Iterator[str]:
    context = command.make_context(name, [], parent=top, resilient_parsing=True)
    params = [param for param in command.get_params(context) if not _is_shared(param)]
    arguments = [param for param in params if param.param_type_name == "argument"]
    usage = " ".join((PROGRAM, name, *command.collect_usage_pieces(context)))
    text = (command.help or "").partition(EXAMPLES)[0].strip()
    yield from (f"### {name}", "", "```text", usage, "```", "", _marked(text), "")
    if arguments:
        told = [(str(param.metavar), _marked(param.help or "")) for param in arguments]
        yield from _table(("argument", "what it is"), told)
    yield from _options([param for param in params if param not in arguments], context)
    found = examples(command.help)
    if found:
        widest = max((len(line) for line, why in found if why), default=0)
        yield "```sh"
        yield from (f"{line:{widest}}  # {why}" if why else line for line, why in found)
        yield from ("```", "")


def _marked(text: str) -> str:
    """Put options and variables of a help text into backticks; a terminal has none."""
    return re.sub(r"(?<![\w`-])(--?[a-z][\w-]*|\$[A-Z_]+)", r"`\1`", text)


def _is_shared(param: Any) -> bool:
    return getattr(param, "rich_help_panel", None) == SHARED


def _options(params: Iterable[Any], context: Any) -> Iterator[str]:
    shown = [param for param in params if "--help" not in param.opts]
    records = [record for param in shown if (record := param.get_help_record(context))]
    records = [(names, _marked(" ".join(said.split()))) for names, said in records]
    if records:
        yield from _table(("option", "what it does"), records)


# --- fields ------------------------------------------------------------------------------------


@dataclass
class Fields:
    """The fields of one kind, by what becomes of them."""

    honoured: list[tuple[str, str]] = field(default_factory=list)
    others: dict[Standing, dict[str, list[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """The names of fields by the path of what holds them."""


def fields() -> Iterator[str]:
    """Write what becomes of every field of every kind."""
    written: dict[int, str] = {}
    yield from ("## Every object", "")
    yield from _kind(Record(kubernetes.TOP), written, "every object")
    for kind, known in TABLE.items():
        yield from (
            f"## {kind}",
            "",
            f"`apiVersion` is {' or '.join(map(_code, known.versions))}.",
            "",
        )
        own = {name: row for name, row in known.rows.items() if name not in kubernetes.TOP}
        yield from _kind(Record(own), written, f"a {kind}")
    yield from _other_kinds()


def _other_kinds() -> Iterator[str]:
    """Write what becomes of kinds that have no table of fields."""
    idle = [kind.name for kind in kinds.LOCAL if kind.name not in TABLE]
    refused = sorted({name for _, name in other_kinds.TRAFFIC_KINDS})
    refused += [kind.name for kind in kinds.KINDS if not kind.local and kind.name not in refused]
    yield from ("## Other kinds", "")
    yield f"Accepted without effect, and named in a note: {_listed(idle)}."
    yield "So is any kind of a group that is neither Kubernetes' own nor one of those below."
    yield from ("", f"Warned of: kinds of {_listed(other_kinds.FILTERING_GROUPS)}.", "")
    yield f"Refused, as they lead or refuse requests: {_listed(refused)}."
    yield f"So is each other kind of these groups: {_listed(other_kinds.TRAFFIC_GROUPS)}."
    yield ""


def _kind(record: Record, written: dict[int, str], owner: str) -> Iterator[str]:
    found = Fields()
    _collect(record, "", found, written, owner)
    if found.honoured:
        yield from _table(("honoured field", "what it holds"), found.honoured)
    for standing, title in (
        (Standing.IDLE, "Accepted without effect, and named in a note:"),
        (Standing.UNSUPPORTED, "Refused as not supported yet:"),
    ):
        if found.others[standing]:
            yield from (title, "")
            for path, names in found.others[standing].items():
                where = f"in `{path}`: " if path else "at the top: "
                yield f"- {where}{_listed(names)}"
            yield ""


def _collect(record: Record, path: str, found: Fields, written: dict[int, str], owner: str) -> None:
    """Sort the fields of a record, and of what is inside; one that was written is only named."""
    for name, row in record.rows.items():
        below = f"{path}.{name}" if path else name
        if row.standing is not Standing.HONOURED:
            found.others[row.standing][path].append(name)
            continue
        inner, place = _inside(row.type, below)
        seen = written.get(id(inner), "").removesuffix(f" of {owner}")
        found.honoured.append((below, _holds(row, seen)))
        if isinstance(inner, Record) and not seen:
            written[id(inner)] = f"`{below}` of {owner}"
            _collect(inner, place, found, written, owner)


def _inside(kind: Type, path: str) -> tuple[Type, str]:
    """Take the lists and maps off a type, and write them into the path."""
    while hasattr(kind, "of"):
        path += ".NAME" if isinstance(kind, MapOf) else "[]"
        kind = kind.of
    return kind, path


def _holds(row: Row, like: str) -> str:
    """Say what a field holds; ``like`` is the field that holds the same, and says so already."""
    said = _described(row.type)
    if like:
        said = f"like {like}" if isinstance(row.type, Record) else f"{said}, each like {like}"
    return f"{said} (required)" if row.required else said


def _described(kind: Type) -> str:
    """Say what a field holds: in words of ours, else in those of its type's docstring."""
    if isinstance(kind, Record):
        return "; ".join(["a mapping", *_exclusive(kind)])
    if isinstance(kind, MapOf | ListOf):
        of = "" if isinstance(_inside(kind, "")[0], Record) else f" of {_described(kind.of)}"
        return (
            f"a mapping of names{of.replace(' of', ' to', 1)}"
            if isinstance(kind, MapOf)
            else f"a list{of}"
        )
    if isinstance(kind, Choice):
        refused = f"; refused: {_listed(kind.unsupported)}" if kind.unsupported else ""
        return f"{_listed(kind.words)}{refused}"
    if isinstance(kind, Integer) and kind != Integer():
        most = f"to {kind.high:,}" if kind.high < INT32 else "or more"
        return f"a whole number, {kind.low:,} {most}"
    if isinstance(kind, Port):
        return "a port's number or name" if kind.named else "a port's number"
    return WORDS.get(type(kind)) or (type(kind).__doc__ or "").partition(".")[0].lower()


def _exclusive(record: Record) -> Iterator[str]:
    """Say which of the fields that are honoured exclude each other."""
    for group in record.one_of:
        taken = [name for name in group if record.rows[name].standing is Standing.HONOURED]
        if len(taken) > 1:
            yield f"at most one of {_listed(taken)}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(_code, words))


def _code(word: str) -> str:
    return f"`{word}`"


# --- pages -------------------------------------------------------------------------------------


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---|---|"
    for name, said in rows:
        cells = (f"`{name}`".replace("|", "\\|"), said.replace("|", "\\|").replace("<", "&lt;"))
        yield f"| {' | '.join(cells)} |"
    yield ""


WRITTEN: dict[str, Callable[[], Iterator[str]]] = {"commands.md": commands, "fields.md": fields}


def main(arguments: list[str]) -> int:
    """Bring the pages up to date, or with ``--check`` say which are not."""
    stale = []
    for name, write in WRITTEN.items():
        page = PAGES / name
        text = page.read_text(encoding="utf-8")
        head, _, rest = text.partition(BEGIN)
        tail = rest.partition(END)[2]
        body = "\n".join(write()).rstrip("\n")
        current = f"{head}{BEGIN}\n{body}\n\n{END}{tail}"
        if current != text:
            stale.append(name)
            if "--check" not in arguments:
                page.write_text(current, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"docs/reference: not current: {', '.join(stale)}. Type: make reference")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
