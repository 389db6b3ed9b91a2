"""An examiner looks at each object once, and again at one that has changed."""

from __future__ import annotations

from meshdemo.engines.local.admission import Examiner, admit
from meshdemo.objects import reading

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {selector: {app: shop}, ports: [{name: http, port: %s}]}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: idle, namespace: default}
"""


def test_what_is_as_it_was_is_not_examined_again() -> None:
    examiner = Examiner()
    first, again = ((*reading.parse(SERVICES % 80, "shop.yaml", []),) for _ in range(2))
    assert [*map(examiner.examine, first)] == [*map(examiner.examine, again)]
    assert all(
        examiner.examine(a) is examiner.examine(b) for a, b in zip(first, again, strict=True)
    )


def test_what_has_changed_is_judged_as_if_it_were_new() -> None:
    examiner = Examiner()
    for port in (80, 0, 80):
        objects = reading.parse(SERVICES % port, "shop.yaml", [])
        assert admit(objects, [], examiner) == admit(objects, [])
        assert bool(admit(objects, [], examiner).problems) is (port == 0)
