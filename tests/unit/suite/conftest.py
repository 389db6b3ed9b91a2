"""Rules for the route tests here, and a mesh of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.suite import reading, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshdemo.suite.results import FileResult

RULES = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - match: [{headers: {x-user: {exact: anna}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{uri: {prefix: /api/}}]
    rewrite: {uri: /}
    headers: {request: {set: {x-env: canary}, remove: [x-debug]}, response: {set: {x-out: "1"}}}
    route: [{destination: {host: shop, subset: v1}}]
    mirror: {host: shop-shadow}
  - match: [{uri: {prefix: /slow}}]
    timeout: 0.3s
    route: [{destination: {host: slow}}]
  - match: [{uri: {prefix: /admin}}]
    directResponse: {status: 404}
  - route:
    - {destination: {host: shop, subset: v1}, weight: 90}
    - {destination: {host: shop, subset: v2}, weight: 10}
"""
HEAD = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., FileResult]:
    """Run route tests, written in YAML, against rules."""

    def run_tests(
        tests: str, rules: str = RULES, more: str = "", timeout: float = 300.0
    ) -> FileResult:
        (tmp_path / "rules.yaml").write_text(rules)
        file = tmp_path / "shop.meshtest.yaml"
        file.write_text(f"{HEAD}rules: [rules.yaml]\n{more}\ntests:\n{tests}")
        (found,) = reading.read([str(file)])
        return running.run(found, timeout=timeout)

    return run_tests
