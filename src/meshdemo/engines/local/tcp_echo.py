"""Istio's own image ``istio/tcp-echo-server``, of its lesson on shifting TCP traffic.

Its arguments say on which ports it listens, and which word it puts before each line that it sends
back: ``["9000,9001,9002", "one"]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE = "istio/tcp-echo-server"
NEEDED = f'{IMAGE} runs here by two arguments, as in args: ["9000,9001", "one"]'
_PORTS = re.compile(r"[0-9]{1,5}(,[0-9]{1,5})*")
_HIGHEST_PORT = 65_535


def runs(container: Mapping[str, Any]) -> bool:
    """Tell whether a container says all that it needs, and nothing that it would not heed."""
    return len(_arguments(container)) > 1 and bool(ports(container))


def ports(container: Mapping[str, Any]) -> list[int]:
    """Give the ports on which it listens."""
    first = next(iter(_arguments(container)), "")
    numbers = [int(number) for number in first.split(",")] if _PORTS.fullmatch(first) else []
    return numbers if all(0 < number <= _HIGHEST_PORT for number in numbers) else []


def word(container: Mapping[str, Any]) -> str:
    """Give the word before each line."""
    return _arguments(container)[1]


def _arguments(container: Mapping[str, Any]) -> list[str]:
    words = container.get("args")
    if container.get("command") or not isinstance(words, list):
        return []
    return [str(each) for each in words]
