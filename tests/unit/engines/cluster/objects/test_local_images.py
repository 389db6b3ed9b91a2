"""Images that only the local engine has."""

from __future__ import annotations

import pytest

from meshdemo.engines.cluster.objects import local_images
from meshdemo.objects.model import POD_TEMPLATES, Object


@pytest.mark.parametrize("kind", sorted(POD_TEMPLATES))
@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("meshdemo/echo", True),
        ("docker.io/meshdemo/echo:1", True),
        ("dustise/flaskapp", False),
    ],
)
def test_an_image_that_no_registry_has_is_refused_in_every_kind(
    kind: str, image: str, *, refused: bool
) -> None:
    pods = {"spec": {"containers": [{"name": "app", "image": image}]}}
    item = Object({"kind": kind}).with_pod_template({"kind": kind, **pods})
    found = list(local_images.problems_of([item]))
    assert bool(found) is refused
    path = ".".join([*map(str, POD_TEMPLATES[kind]), "spec.containers[0].image"])
    assert [problem.field for problem in found] == ([path] if refused else [])
