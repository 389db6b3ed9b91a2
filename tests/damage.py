"""Damages of a state directory: what power cuts, full disks, editors and attackers may leave there.

    for damage in (*common(), *of_the_record(), *seeded(state, seed=1, count=50)):
        damage.do(state, outside)

``outside`` is a folder beside the state directory, with something in it that must stay as it is.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import dataclass
from functools import partial, reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Way = Callable[[Path, Path], None]

RECORDS = ("run.json", "objects.json", "pods.json")
"""What a mesh is known by; the rest can be derived from it."""
OTHERS = (".meshdemo.lock", ".meshdemo.made", "supervisord.pid", "supervisord.conf",
          "supervisord.log", "supervisord.out", "pods/*app-v1*/app.exec", "pods/*app-v1*/app.log",
          "pods/*app-v1*/envoy/rds.json", "pods/*app-v1*/envoy/bootstrap.json")  # fmt: skip
FOLDERS = ("pods", "sockets", "pods/*app-v1*", "pods/*app-v1*/envoy")
DEEP = 100_000
ANY_TEXT = (("created",), ("envoy",), ("envoy_version",))
"""What may be any text in a record: it is for people, or looked for anew where it does not hold."""
HOSTILE: tuple[Any, ...] = (None, True, -1, 0, 10**30, 1e308, "x", "", "../../x", [], {}, ["x"])
"""Values of the wrong type, or out of every range."""
LOOKING = ("status", "proxy-url", "logs deploy/app-v1 -c app --tail 1", "exec -- true",
           "verify --requests 1", "down -n elsewhere", "get pods", "doctor")  # fmt: skip
CHANGING = ("up --no-verify", "route v2", "route --clear", "deploy", "inject",
            "delete vs app-default-v2")  # fmt: skip
"""What to try on a damaged mesh."""


@dataclass(frozen=True)
class Damage:
    """One damage of one file or folder, which is named as it is found below the state directory."""

    place: str
    kind: str
    way: Way
    harmless: bool = False
    """Whether a command that changes something can mend it."""

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}"

    @property
    def stops(self) -> bool:
        """Tell whether it is in what a mesh is known by, so that only ``down`` can go on."""
        return self.place in RECORDS and not self.harmless

    def do(self, state: Path, outside: Path) -> None:
        """Damage a state directory; what is not there cannot be damaged."""
        for path in sorted(state.glob(self.place)):
            self.way(path, outside)


def common() -> Iterator[Damage]:
    """Give each way for each file and folder, and what may stand in the file of a process id."""
    for place in (*RECORDS, *OTHERS):
        for kind, way in {**CONTENTS, **IMPOSTORS}.items():
            # Pods are planned anew, and nobody is closed out who is root.
            planned = (place, kind) == ("pods.json", "gone")
            harmless = planned or (kind == CLOSED and os.getuid() == 0)
            yield Damage(place, kind, way, harmless)
    for place in FOLDERS:
        for kind, way in IMPOSTORS.items():
            yield Damage(place, kind, way)
    for text in ("-1", "0", "1", str(10**30), "9" * 5000, "x"):
        yield Damage("supervisord.pid", f"the number {text[:40]}", partial(_write, text.encode()))
    yield Damage("supervisord.pid", "this process", partial(_write, str(os.getpid()).encode()))


def seeded(state: Path, seed: int, count: int) -> Iterator[Damage]:
    """Give so many damages at random places of the JSON files, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - damages are no secrets
    for _ in range(count):
        place = chance.choice(("run.json", "pods.json"))
        data = json.loads((state / place).read_bytes())
        path = chance.choice(list(_paths(data)))
        if chance.random() < 0.25:
            way = partial(_edit, path, None, removing=True)
            # A record that does not name its version is read as one of this version.
            yield Damage(place, f"{path} is missing", way, harmless=path == ("schema",))
        else:
            there = reduce(getitem, path, data)  # to write the same again would be no damage
            value = chance.choice([each for each in HOSTILE if each != there])
            # Nothing tells that it was another one.
            free = isinstance(value, str) and path in ANY_TEXT
            harmless = free or (path, value) == (("namespace",), "x")
            yield Damage(place, f"{path} is {value!r}", partial(_edit, path, value), harmless)


def of_the_record() -> Iterator[Damage]:
    """Give records that name what is not theirs."""
    for key, value in (("engine", "moon"), ("schema", "meshdemo/v9"), ("run", "0" * 12),
                       ("run", "../../x"), ("namespace", "../../x"), ("envoy", "{outside}/program"),
                       ("sockets", "{outside}"), ("sockets", "/"), ("sockets", "{outside}/gone"),
                       ("folder", "{outside}"), ("engine", "cluster")):  # fmt: skip
        harmless = value in {"0" * 12, "{outside}/program"}  # another one is as good
        yield Damage("run.json", f"{key} is {value}", partial(_name, key, value), harmless)


def _name(key: str, value: str, file: Path, outside: Path) -> None:
    _edit((key,), value.format(outside=outside), file, outside)


def _edit(
    path: tuple[str | int, ...], value: Any, file: Path, _: Path, *, removing: bool = False
) -> None:
    data = json.loads(file.read_bytes())
    inside = data
    for part in path[:-1]:
        inside = inside[part]
    if removing:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    file.write_text(json.dumps(data))


def _paths(data: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    parts: Any = data.items() if isinstance(data, dict) else enumerate(data)
    for part, value in parts:
        yield (*above, part)
        if isinstance(value, dict | list):
            yield from _paths(value, (*above, part))


def _write(content: bytes, file: Path, _: Path) -> None:
    file.write_bytes(content)


def _truncate(file: Path, _: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _append(content: bytes, file: Path, _: Path) -> None:
    with file.open("ab") as opened:
        opened.write(content)


def _grow(file: Path, _: Path) -> None:
    os.truncate(file, 1 << 30)


def _remove(path: Path, _: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _replace(make: Way, path: Path, outside: Path) -> None:
    _remove(path, outside)
    make(path, outside)


def _close(path: Path, _: Path) -> None:
    path.chmod(0)


CLOSED = "closed to us"
CONTENTS: dict[str, Way] = {
    "empty": partial(_write, b""),
    "truncated": _truncate,
    "NULs": partial(_write, b"\0" * 100),
    "no UTF-8": partial(_write, b"\xff\xfe{}"),
    "a list": partial(_write, b"[1]"),
    "an empty object": partial(_write, b"{}"),
    "a string": partial(_write, b'"hello"'),
    "an open bracket": partial(_write, b"{"),
    "nested too deeply": partial(_write, b"[" * DEEP),
    "nested too deeply, in order": partial(_write, b"[" * DEEP + b"]" * DEEP),
    "an enormous number": partial(_write, b"9" * 5000),
    "something appended": partial(_append, b"\n- x: [1]\n"),
    "a gigabyte": _grow,
    CLOSED: _close,
}
IMPOSTORS: dict[str, Way] = {
    "gone": _remove,
    "a folder": partial(_replace, lambda path, _: path.mkdir()),
    "a file": partial(_replace, lambda path, _: path.touch()),
    "a link to a folder outside": partial(_replace, lambda path, there: path.symlink_to(there)),
    "a link to a file outside": partial(
        _replace, lambda path, there: path.symlink_to(there / "precious")
    ),
    "a link to nowhere": partial(_replace, lambda path, _: path.symlink_to("nowhere")),
    "a link to itself": partial(_replace, lambda path, _: path.symlink_to(path.name)),
    "a pipe": partial(_replace, lambda path, _: os.mkfifo(path)),
}
