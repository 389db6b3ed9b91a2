"""With ``--strict`` a warning keeps all from being applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.errors import InputError, in_order
from meshdemo.objects.model import in_apply_order
from meshdemo.walkthrough import client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.plan import Plan


def require_no_warnings(engine: Engine, plan: Plan, objects: Sequence[Object]) -> None:
    """Raise InputError with all warnings about objects that are to be applied, if so wanted.

    On a cluster those of ``istioctl analyze`` are among them, where there is one.
    """
    if not plan.strict:
        return
    found = [*engine.apply(in_apply_order(objects), dry_run=True).warnings]
    found += engine.analyze(client.others(objects)) if plan.is_own else ()
    if found:
        raise InputError("--strict: there are warnings, and nothing was applied", in_order(found))
