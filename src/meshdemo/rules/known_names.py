"""The names that a client may call, for one who called a name that nothing has."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from meshdemo.language import said
from meshdemo.rules.undecided import EXPECT_HINT

if TYPE_CHECKING:
    from meshdemo.language import Sentence
    from meshdemo.rules.client_view import ClientView

MOST = 8
"""How many names a hint has at most."""


def similar(host: str, view: ClientView) -> list[str]:
    """Give names that are known and look like a host."""
    of_rules = {name for rule in view.virtual_services for name in rule.hosts}
    return difflib.get_close_matches(host, sorted(_services(view) | of_rules), n=2)


def hint(host: str, view: ClientView) -> Sentence:
    """Say which name may be meant by a host that is not known."""
    names = similar(host, view) or sorted(_services(view))[:MOST]
    if not names:
        return EXPECT_HINT
    return said(
        "there is {names}; where another host is meant, say what to expect, as in --expect v2=100%",
        names=", ".join(names),
    )


def _services(view: ClientView) -> set[str]:
    """Give the services by the names that the client may call them."""
    return {
        service.host
        if service.is_entry
        else service.name
        if service.namespace == view.client.namespace
        else f"{service.name}.{service.namespace}"
        for service in view.services.values()
    }
