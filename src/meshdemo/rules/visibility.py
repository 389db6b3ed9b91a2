"""Who may see a rule or a Service: ``exportTo``, as istiod reads it.

Source: ``initVirtualServices`` and ``initServiceRegistry`` in istiod's push_context.go, which do
the same for both. DestinationRules differ, see ``destination_rules``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERYWHERE, HERE, NOWHERE = "*", ".", "~"


def exported_to(names: Iterable[str], namespace: str) -> frozenset[str]:
    """Give the namespaces whose clients see what is in ``namespace``; EVERYWHERE stands for all.

    ``*`` makes it public whatever else is named, ``~`` hides it from all, and without any name
    it is public.
    """
    named = frozenset(names) or {EVERYWHERE}
    if EVERYWHERE in named:
        return frozenset({EVERYWHERE})
    if NOWHERE in named:
        return frozenset()
    return frozenset(namespace if name == HERE else name for name in named)


def sees(exported: frozenset[str], namespace: str) -> bool:
    """Tell whether the clients of a namespace see what is exported so."""
    return not exported.isdisjoint((EVERYWHERE, namespace))
