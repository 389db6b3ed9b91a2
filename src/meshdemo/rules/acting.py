"""Which rules act on a request: those that decide who answers it, and no other ones. Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.rules import request_trace
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.undecided import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.answering import Pods
    from meshdemo.rules.client_view import Client
    from meshdemo.verdict.traffic import Request


class Acting(Struct, frozen=True):
    """A rule, and the part of it that acts."""

    item: Object
    path: tuple[str | int, ...] = ()
    """Where that part stands, as in ``("spec", "http", 0)``; empty for all of it."""

    @property
    def place(self) -> Problem:
        """Where it stands, with file and line where they are known."""
        return self.item.problem("", *self.path)


def acting(
    objects: Sequence[Object], pods: Pods, request: Request, client: Client
) -> tuple[Acting, ...]:
    """Give the VirtualService that decides about a request, and the DestinationRules followed.

    Of delegates both are given. Raises InputError for what no request can be.
    """
    path = RequestPath.of(objects, pods, request, client)
    try:
        dialled = path.dialled
    except Undecided:
        return ()
    if not client.injected or dialled is None or dialled.passes_on:
        return ()
    with suppress(Undecided):  # it was followed as far as it goes
        path.parts()
    found = [*_virtual_services(objects, path, pods), *_destination_rules(objects, path)]
    return tuple({(each.item.key, each.path): each for each in found}.values())


def _virtual_services(objects: Sequence[Object], path: RequestPath, pods: Pods) -> Iterator[Acting]:
    dialled = path.dialled
    if dialled and dialled.rule and not path.request.is_tcp:
        trace = request_trace.trace(objects, pods, path.request, path.view.client)
        chosen = trace.chosen.origin if trace.chosen else None
        for winner in (claim.rule for claim in trace.claims if claim.wins):
            if chosen is None or chosen.item.key != winner.key:
                yield Acting(winner)
        if chosen:
            yield Acting(chosen.item, chosen.path)
    elif rule := path.deciding:
        for item in objects:
            if item.kind == "VirtualService" and (item.namespace, item.name) == rule.key:
                yield Acting(item)


def _destination_rules(objects: Sequence[Object], path: RequestPath) -> Iterator[Acting]:
    """Give each DestinationRule followed, by the subset that is named where it has it."""
    rules = [item for item in objects if item.kind == "DestinationRule"]
    for _, followed, name in path.reached:
        for item in rules if followed else ():
            if followed and followed.has(item):
                subsets = item.spec.get("subsets") or []
                numbers = [n for n, each in enumerate(subsets) if name and each["name"] == name]
                yield Acting(item, ("spec", "subsets", numbers[0]) if numbers else ())
