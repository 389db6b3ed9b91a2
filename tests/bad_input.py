"""Bad input from a seed: what people, tools and attackers put into manifests.

    for case in bad_input.cases(seed=1, count=300):
        case.write(tmp_path / "input.yaml")

Most cases are real manifests with one to three changes: of a value, of the structure or of the
text. Some are still valid. Whatever it is, a command that takes ``-f`` and measures nothing (as
``up --no-verify``) ends with exit status 0, 2 (and names the file) or 3: never with 1, 70 or not
at all.
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from tests.paths import MANIFESTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BASES = tuple(
    file.read_text(encoding="utf-8")
    for folder in (MANIFESTS, ROOT / "tests" / "golden" / "cases")
    for file in sorted(folder.glob("*.yaml"))
)
LONG = 20_000

VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, "", "hello", 0, -1, 1.5, 10**20, 1e300, [[]], {"": ""}, [None]),
    *(
        "y",
        "N",
        "0x10",
        "1e3",
        "~",
        "=",
        "<<",
        "12:30",
        "2020-01-01",
        "*",
        ".",
        "..",
        "/",
        "../../x",
    ),
    *("a" * 63, "a" * 64, "a" * 254, "a" * LONG, "9" * 5000, "é" * 300, "A_b", "-a", "a b", "a\nb"),
    *(
        "\0",
        "a\0b",
        "\x1b[31m",
        "\u202e",
        "\ufeff",
        "\x7f",
        "\t",
        " ",
        "💥",
        "%",
        "%x",
        "%%",
        "%DATE%",
    ),
    *(
        "%REQ(x)%",
        "%" * LONG,
        "%(" * LONG,
        "{port}",
        "{port:x}",
        "{ports}",
        "$(A)",
        "$$(A)",
        "'",
        '"',
    ),
    *(
        "0s",
        "-1s",
        "2562048h",
        "9" * 30 + "s",
        "1ns",
        "1.0005s",
        "1e3s",
        "9" * LONG + "s",
        "1s" * 100,
    ),
    *("(", "(a+)+$", "[", "a{1000}", "a{1001}", "(" * 2000, "(?=a)", "\\", "|" * LONG, "a*" * 500),
    *(
        "*.a",
        "a.*",
        "a..b",
        "a.b.",
        "1.2.3.4",
        "::1",
        "10.0.0.0/8",
        "http://a",
        "a:80",
        "mesh",
        "a/b",
    ),
    *("app", "v1", "/a", "^/a.*$", "x-user", "1s", "default", "http", "tcp-a", "app.default.svc"),
    *(
        1,
        80,
        100,
        0.5,
        70000,
        2**31,
        2**32,
        2**63,
        2**64,
        -(2**63),
        0.0001,
        100.1,
        1e-300,
        "1000000",
        1_000_000,
    ),
    *([{}] * 3, ["a"] * 1001, [{"name": "a"}, {"name": "a"}], {f"k{n}": n for n in range(50)}),
)
KEYS = ("", "a", "name", "spec", "y", "x" * 300, "a b", "\0", "~", "<<", "é", "a.b/c", "__proto__")
WHOLE: tuple[bytes, ...] = (
    b"",
    b"\0" * 100,
    b"\xff\xfe\x00",
    "é: ü".encode("utf-16"),
    b"# nothing\n---\n...\n",
    b"---\n" * 20_000,
    b"hello",
    b"- a\n- b\n",
    b"[" * LONG,
    b"{a: " * LONG,
    b"- " * LONG,
    b"a: " + b"9" * 5000,
    b"a: 0x" + b"f" * 5000,
    b"a:\n\tb: c\n",
    b"a: &a [*a]",
    b"&a a: *a",
    b"? [a]\n: b\n",
    b"a: !!python/object/apply:os.system [id]",
    b"<<: {a: b}",
    b"<<: &a {<<: *a}",
    b"%YAML 3.0\n---\na: b\n",
    b"%TAG ! tag:x,2000:\n---\n!a b\n",
    b'"\\ud800": "\\udc00"',
    b"a: |\n" + b"  x\n" * LONG,
    b"a: b\r\nc: d\r",
    b"a: \x1b[31m",
    b"kind: List\nitems: hello\napiVersion: v1\n",
    b"kind: List\nitems: [hello, ~, []]\napiVersion: v1\nmetadata: {name: a}\n",
    b'{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": []}',
    "\n".join(
        ["a0: &a0 lol", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    ).encode(),
)
"""Texts that are bad as they are."""
FILES = ("", ".", "no-such-file", "/dev/zero", "/dev/null", "a\0b", "x" * 300, "http://127.0.0.1/",
         "https://", "https://[::1", "https://127.0.0.1:1/a.yaml", "ftp://a/b")  # fmt: skip
"""What ``-f`` may be given in the place of a file."""


@dataclass(frozen=True)
class Case:
    """One input, and how it came about."""

    name: str
    content: bytes

    def write(self, file: Path) -> None:
        """Put it where ``-f`` finds it."""
        file.write_bytes(self.content)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Make inputs; the same seed gives the same ones."""
    return (numbered(seed, number) for number in range(count))


def numbered(seed: int, number: int) -> Case:
    """Make one of the inputs of a seed."""
    name = f"{seed}.{number}"
    return case(random.Random(name), name)  # noqa: S311 - it is to be repeated


def case(rng: random.Random, name: str) -> Case:
    """Make one input."""
    if rng.random() < 0.1:
        index = rng.randrange(len(WHOLE))
        return Case(f"{name}: text {index}", WHOLE[index])
    documents = copy.deepcopy(_documents(rng.choice(BASES)))
    if rng.random() < 0.15:
        content = _written(rng, documents)
        change = rng.choice(TEXT_CHANGES)
        return Case(f"{name}: {change.__name__}", change(rng, content))
    done = [_change(rng, documents) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    return Case(f"{name}: {'; '.join(done)}", _written(rng, documents))


@cache
def _documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def _written(rng: random.Random, documents: list[Any]) -> bytes:
    """Write documents in one of the ways in which tools write them."""
    if rng.random() < 0.2:
        items = [item for item in documents if item is not None]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    flow = rng.choice((False, False, None, True))
    text = yaml.safe_dump_all(
        documents, default_flow_style=flow, allow_unicode=rng.random() < 0.5, sort_keys=False
    )
    return text.encode("utf-8", "surrogatepass")


# --- changes of the structure ------------------------------------------------------------------


def _change(rng: random.Random, documents: list[Any]) -> str:
    """Change one place in the documents, and say what was done."""
    holder, key, path = _place(rng, documents)
    act = rng.choice(ACTS)
    act(rng, holder, key)
    return f"{act.__name__.strip('_')} {path}"


def _place(rng: random.Random, documents: list[Any]) -> tuple[Any, Any, str]:
    """Choose any place: what holds it, its key there, and the way to it."""
    places: list[tuple[Any, Any, str]] = []

    def walk(holder: Any, path: str) -> None:
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            below = f"{path}.{key}"[:100]
            places.append((holder, key, below))
            if isinstance(holder[key], dict | list):
                walk(holder[key], below)

    walk(documents, "")
    return rng.choice(places)


def _replace(rng: random.Random, holder: Any, key: Any) -> None:
    same = [value for value in VALUES if type(value) is type(holder[key])]
    chosen = rng.choice(same if same and rng.random() < 0.7 else VALUES)
    holder[key] = copy.deepcopy(chosen)  # it may be changed further


def _remove(_rng: random.Random, holder: Any, key: Any) -> None:
    del holder[key]
    if not holder and isinstance(holder, list):
        holder.append(None)


def _wrap(rng: random.Random, holder: Any, key: Any) -> None:
    holder[key] = rng.choice(([holder[key]], {"a": holder[key]}, [[holder[key]]]))


def _repeat(rng: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, holder[key])
        return
    holder[rng.choice(KEYS)] = holder[key]


def _rename(rng: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[rng.choice((str(key)[:-1], str(key).upper(), *KEYS))] = holder.pop(key)


def _nest(rng: random.Random, holder: Any, key: Any) -> None:
    for _ in range(rng.choice((5, 50, 150))):
        holder[key] = {"a": holder[key]}


def _multiply(rng: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder[key], list):
        holder[key] = holder[key] * rng.choice((2, 30, 2000))
    elif isinstance(holder[key], str):
        holder[key] *= rng.choice((2, 100))
    else:
        _replace(rng, holder, key)


ACTS: tuple[Callable[[random.Random, Any, Any], None], ...] = (
    *(_replace,) * 5, _remove, _remove, _wrap, _repeat, _rename, _nest, _multiply,
)  # fmt: skip


# --- changes of the text -----------------------------------------------------------------------


def flipped(rng: random.Random, content: bytes) -> bytes:
    """Change some bytes."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def cut_off(rng: random.Random, content: bytes) -> bytes:
    """End in the middle."""
    return content[: rng.randrange(len(content))]


def spliced(rng: random.Random, content: bytes) -> bytes:
    """Put something into the middle that means something to YAML."""
    place = rng.randrange(len(content))
    signs = (
        b"\t",
        b"\0",
        b"&a ",
        b"*a ",
        b"!!int ",
        b"? ",
        b"<<: ",
        b"- ",
        b"{",
        b"]",
        b"'",
        b"---\n",
    )
    return content[:place] + rng.choice(signs) + content[place:]


def indented(rng: random.Random, content: bytes) -> bytes:
    """Move one line to another depth, with spaces or a tab."""
    lines = content.split(b"\n")
    index = rng.randrange(len(lines))
    lines[index] = rng.choice((b"\t", b" ", b"  ", b"   \t")) + lines[index]
    return b"\n".join(lines)


def doubled(_rng: random.Random, content: bytes) -> bytes:
    """Give all of it twice."""
    return content + b"\n---\n" + content


def from_windows(_rng: random.Random, content: bytes) -> bytes:
    """Write it as an editor of Windows does."""
    return b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")


TEXT_CHANGES = (flipped, flipped, cut_off, spliced, spliced, indented, doubled, from_windows)
