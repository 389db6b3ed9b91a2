"""The walkthrough's test client, which joins the user's own objects where they have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.test_client import CLIENT, find_client, is_client
from meshdemo.objects import reading
from meshdemo.walkthrough import bundled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object


def file() -> str:
    """Give the path of its manifest."""
    return bundled.paths((bundled.CLIENT_MANIFEST,))[0]


def joining(objects: Sequence[Object], namespace: str) -> tuple[Object, ...]:
    """Give what joins the objects so that the namespace has a test client; nothing if it has."""
    for item in objects:
        labels = (item.pod_template.get("metadata") or {}).get("labels") or {}
        here = item.makes_pods and item.namespace == namespace
        if here and is_client(labels, item.name):
            return ()
    taken = {item.key for item in objects}
    found = reading.read((file(),), namespace=namespace)
    return tuple(item for item in found if item.key not in taken)


def may_join(engine: Engine) -> bool:
    """Tell whether there is no test client yet, or it is the one that joined before."""
    there = find_client(engine.pods(), engine.where.namespace)
    if there is None:
        return True
    deployment = ("apps", "Deployment", there.namespace, CLIENT)
    return there.workload == CLIENT and any(o.key == deployment for o in engine.objects())


def has_joined(objects: Iterable[Object]) -> bool:
    """Tell whether it is among these objects."""
    path = file()
    return any(item.file == path for item in objects)


def others(objects: Iterable[Object]) -> list[Object]:
    """Give what of these objects is the user's."""
    path = file()
    return [item for item in objects if item.file != path]
