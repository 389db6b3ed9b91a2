"""Images that exist only in the local engine, and so cannot be pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

ONLY_LOCAL = ("meshdemo/echo",)


def problems_of(objects: Sequence[Object]) -> Iterator[Problem]:
    """Refuse by name what no registry has."""
    for item in objects:
        if not item.makes_pods:
            continue
        containers = (item.pod_template.get("spec") or {}).get("containers") or ()
        for index, container in enumerate(containers):
            image = str(container.get("image") or "")
            if image.partition(":")[0].partition("@")[0].endswith(ONLY_LOCAL):
                yield item.problem(
                    f"the image {image} exists only in the local engine",
                    *item.template_path, "spec", "containers", index, "image",
                    hint="name another one with --image NAME=IMAGE, or say --engine local",
                )  # fmt: skip
