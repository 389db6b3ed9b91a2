"""The namespaces of a mesh: which there are, and that nothing of one is left."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed
from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshdemo.engines.local.pods.runtime import Runtime
    from meshdemo.engines.local.store import Store
    from meshdemo.objects.model import Object

DEFAULT = "default"


def of(item: Object) -> str:
    """Name the namespace that an object goes with; a Namespace goes with itself.

    It is empty for what goes with none, as a ClusterRole.
    """
    return item.namespace or (item.name if item.kind == "Namespace" else "")


def others(store: Store, namespace: str) -> tuple[Object, ...]:
    """Give the objects that stay without a namespace; none where it is the only one.

    Raises EnvironmentFailed where nobody can tell, because the state is damaged.
    """
    try:
        found = store.objects() if store.run() else ()
    except run_record.Damaged as error:
        hint = "Leave out -n: what is damaged can only be removed as a whole."
        raise EnvironmentFailed(error.message, hint=hint) from error
    staying = tuple(item for item in found if of(item) != namespace)
    return staying if any(map(of, staying)) else ()


def foremost(objects: Iterable[Object]) -> str:
    """Choose the namespace that commands are about which name none."""
    return min(sorted(filter(None, map(of, objects))), key=DEFAULT.__ne__, default=DEFAULT)


def listed(objects: Iterable[Object]) -> str:
    """Name the namespaces of objects, each with how many objects it has."""
    spaces = Counter(map(of, objects))
    return ", ".join(
        f"{name or 'of no namespace'} ({counted(spaces[name], 'object')})"
        for name in sorted(spaces)
    )


def prove_gone(runtime: Runtime, namespace: str, removed: int) -> Iterator[Check]:
    """See that nothing of a namespace is left, of which so many objects were removed."""
    objects = [item.title for item in runtime.store.objects() if of(item) == namespace]
    detail = f"{removed} removed" if removed else "there was none"
    yield _check(f"no object of namespace {namespace} is left", objects, detail)
    start, proxy = f"{namespace}.", runtime.layout.kube_proxy(namespace)
    running = [n for n in runtime.supervisor.states() if n.startswith(start) or n == proxy.name]
    yield _check(f"no process of namespace {namespace} is left", running)
    folders = [path for path in runtime.store.inside() if path.name.startswith(start)]
    folders.append(proxy.folder)
    left = [str(path) for path in folders if os.path.lexists(path)]
    yield _check(f"no file of namespace {namespace} is left", left)


def _check(name: str, left: Sequence[str], detail: str = "") -> Check:
    detail = f"still there: {', '.join(left)}" if left else detail
    return Check(name, not left, detail, "Run `meshdemo down` again." if left else "")
