"""Reading the rules of a file of route tests: files, and folders with all below them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.objects import reading
from meshdemo.suite import finding
from meshdemo.suite.model import KIND, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.objects.model import Object

NO_OBJECTS = frozenset({"kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml"})
"""Files of a folder of manifests that hold none."""


def read(sources: Sequence[str], namespace: str) -> tuple[Object, ...]:
    """Read objects from files, folders, URLs and ``-``, but for the route tests among them.

    Raises InputError with every problem.
    """
    return reading.read(
        list(_files(sources)), namespace=namespace, keeps=lambda item: item.kind != KIND
    )


def _files(sources: Sequence[str]) -> Iterator[str]:
    for source in sources:
        if not os.path.isdir(source):  # noqa: PTH112 - "-" and URLs are no paths
            yield source
            continue
        found = [
            each
            for each in finding.below(source)
            if Path(each).name not in NO_OBJECTS and not each.endswith(SUFFIX)
        ]
        yield from found or [source]
