"""Two states of the rules for a host, and what ``meshdemo diff`` finds between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.objects import repository
from meshdemo.suite.changes import comparing
from meshdemo.suite.changes.states import State

if TYPE_CHECKING:
    from meshdemo.suite.changes.comparing import Compared

DESTINATION_RULE = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""
V1 = "route: [{destination: {host: shop, subset: v1}}]"
V2 = "route: [{destination: {host: shop, subset: v2}}]"
CANARY = """route:
      - {destination: {host: shop, subset: v1}, weight: 90}
      - {destination: {host: shop, subset: v2}, weight: 10}"""


def rules(*http: str, head: str = "hosts: [shop]") -> str:
    written = "".join(f"\n  - {each}" for each in http)
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop}}
spec:
  {head}
  http:{written}
{DESTINATION_RULE}"""


def at(path: str, then: str) -> str:
    """Write an http rule for all paths with a prefix."""
    return f"match: [{{uri: {{prefix: {path}}}}}]\n    {then}"


def state(name: str, text: str) -> State:
    found = repository.of_texts([(f"{name}.yaml", text)], "default")
    assert not found.problems
    return State(name, tuple(found.objects))


def compared(old: str, new: str) -> Compared:
    return comparing.compare(state("old", old), state("new", new), "default", 30)


def said(old: str, new: str) -> list[str]:
    return [change.words for change in compared(old, new).changes]
