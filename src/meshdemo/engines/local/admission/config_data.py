"""What a server asks of ConfigMaps and Secrets, and of what takes something from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

LONGEST_KEY = 253
LARGEST = 1 << 20
"""Bytes of all values together, as Kubernetes' MaxSecretSize."""
_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def problems(whole: Place) -> Iterator[Problem]:
    """Judge a whole ConfigMap or Secret."""
    parts = [whole["data"], whole["binaryData"]]
    for part in parts:
        for key, value in part.entries.items():
            if wrong := _key_problem(key):
                yield value.problem(wrong)
    for key in parts[0].entries.keys() & parts[1].entries.keys():
        yield parts[1][key].problem(f'the key "{key}" is in data, too')
    if sum(len(text) for part in parts for text in part.texts.values()) > LARGEST:
        yield whole.problem(f"it is too large: it may hold {LARGEST:,} bytes")


def environment_problems(container: Place) -> Iterator[Problem]:
    """Judge what a container's environment is taken from."""
    for item in container["env"].items:
        source = item["valueFrom"]
        if source.there and item["value"].text:
            yield item["value"].problem("it cannot stand beside valueFrom")
        if source.there and not source.entries:
            yield source.problem("it says nothing to take the value from")
    for source in container["envFrom"].items:
        if not ("configMapRef" in source or "secretRef" in source):
            yield source.problem("it needs a configMapRef or a secretRef")


def volume_problems(volume: Place) -> Iterator[Problem]:
    """Judge the paths of the files that a volume shall hold."""
    sources = [volume, *volume["projected"]["sources"].items]
    for source in (each[kind] for each in sources for kind in ("configMap", "secret")):
        for item in source["items"].items:
            path = item["path"]
            if path.is_text and not _is_below(path.text):
                yield path.problem(f'"{path.text}" is not a path below the volume')


def _is_below(path: str) -> bool:
    return bool(path) and "\0" not in path and not ({"", "..", "."} & {*path.split("/")})


def _key_problem(key: str) -> str:
    if len(key) <= LONGEST_KEY and _KEY.fullmatch(key) and key != "." and not key.startswith(".."):
        return ""
    rule = f'at most {LONGEST_KEY} letters, digits, "-", "_" and ".", and no ".." at the beginning'
    return f'"{key}" is not a valid key: {rule}'
