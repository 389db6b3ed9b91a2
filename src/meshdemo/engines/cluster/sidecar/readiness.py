"""Waiting until a sidecar has the rules, and apps answer; giving up once it is in vain."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.cluster.api.remote_exec import Late, Lost
from meshdemo.engines.cluster.pods.failure_causes import Cause
from meshdemo.engines.cluster.pods.readiness import MORE_TIME, Wait
from meshdemo.engines.cluster.sidecar.data_plane import LED_ASTRAY, NOT_KNOWN, Unseen
from meshdemo.engines.cluster.sidecar.first_answers import START_UP
from meshdemo.errors import EnvironmentFailed, NothingAnswers, TimedOut
from meshdemo.rules import virtual_services

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.sidecar.config_dump import Dump
    from meshdemo.engines.cluster.sidecar.data_plane import DataPlane, Place
    from meshdemo.objects.model import Object

LONGEST_DEBOUNCE = 10.0
"""Seconds that istiod may hold back what it sends while things change: PILOT_DEBOUNCE_MAX."""
SETTLED = 3.0
"""Seconds after a change in which istiod has sent all that it makes of it (0.1 to 2 measured)."""
DETAIL_SECONDS = 15.0
"""Seconds for the details of a rule that already leads where it should: an EnvoyFilter or a setting
of istiod's may have the last word on them, and then there is nothing to wait for."""
ANSWER_PAUSE = 0.2
LAST_LOOK = 1.0
"""Seconds for a look at the data plane, and for whatever is under way when the time is over."""
LISTENS = "Does the app listen on the Service's targetPort, on all addresses? meshdemo logs"
SILENT = Cause("the pods are ready, and nothing answers", LISTENS, final=False)
FOREIGN_RULE_HINT = (
    "That is of another namespace, and holds here because its exportTo says so, or says nothing: "
    "ask who made it."
)


class Lack(Struct, frozen=True):
    """What a sidecar has not got yet."""

    text: str
    is_detail: bool = False
    instead: str = ""
    """The rules that it follows in their place, of which nobody else told."""


LATE = Lack("has not got the change")


@dataclass
class SidecarReadiness(Wait):
    """What a test client's sidecar still lacks."""

    patience: float = DETAIL_SECONDS

    @property
    def _last_look(self) -> float:
        """When looking at the data plane ends: it gets a moment, however late it is."""
        return max(self.deadline, time.monotonic() + LAST_LOOK)

    def wait_for_answers(self, plane: DataPlane, places: Sequence[Place]) -> None:
        """Wait until something answers at each place: that a pod is ready does not say so."""
        began = time.monotonic()
        for place in places:
            while trouble := _asked(plane, place, self._last_look):
                waited = time.monotonic() - began
                if trouble in (NOT_KNOWN, LED_ASTRAY) and waited > LONGEST_DEBOUNCE:
                    break  # that is by its rules: a subset without pods, PASSTHROUGH
                late = waited > START_UP
                if late and not place.is_http:
                    self.notify(f"nothing listens at {place.url} yet: {trouble}", lasting=True)
                    break
                if not self.left:
                    message = f"nothing answers at {place.url}: {trouble}"
                    raise NothingAnswers(message, hint=f"{LISTENS} {MORE_TIME}")
                if late:
                    self.problems.warn(place.url, SILENT)
                self.say(f"waiting for {place.url} to answer: {trouble}")
                time.sleep(ANSWER_PAUSE)

    def wait_for_rules(
        self,
        plane: DataPlane,
        rules: Sequence[Object],
        before: tuple[Dump, float] | None,
    ) -> None:
        """Wait until the test client's sidecar has the rules.

        ``before`` is what the sidecar had before they were changed, and when that was: then it
        must have got something since, or enough time for it.
        """
        began, is_seen = time.monotonic(), False
        lack: Lack | None = Lack(f"has not got {_titles(rules)}") if rules else LATE
        while lack:
            try:
                for dump in plane.dumps(self._last_look):
                    is_seen = True
                    # A rule may have changed without changing this sidecar: then time has to do.
                    if before and (dump != before[0] or time.monotonic() - before[1] > SETTLED):
                        before = None
                    lack = _lack(dump, rules) or (LATE if before else None)
                    if not lack or not self.left or self._is_in_vain(lack, began):
                        break
                else:
                    time.sleep(ANSWER_PAUSE)
            except Lost:
                time.sleep(ANSWER_PAUSE)
            said = f"the sidecar of {plane.target.pod} {lack.text}" if lack else ""
            if lack and lack.instead and (not self.left or self._is_in_vain(lack, began)):
                raise EnvironmentFailed(
                    f"{said}: it follows {lack.instead}", hint=FOREIGN_RULE_HINT
                )
            if lack and lack.is_detail and self._is_in_vain(lack, began):
                self.notify(f"{said}; does an EnvoyFilter change it?", always=True)
                return
            if lack and not self.left and not is_seen:
                message = f"the sidecar of {plane.target.pod} did not show in time what it has"
                raise TimedOut(message, hint=f"Is the way to it slow? {MORE_TIME}")
            if lack and not self.left:
                raise TimedOut(f"{said} in time", hint="Is istiod well? meshdemo doctor tells.")

    def _is_in_vain(self, lack: Lack, began: float) -> bool:
        """Tell whether waiting on does not help: somebody else has the last word."""
        waited = time.monotonic() - began
        return (lack.is_detail and waited > self.patience) or (
            bool(lack.instead) and waited > LONGEST_DEBOUNCE
        )

    def wait_for_absence(self, plane: DataPlane, rules: Sequence[Object]) -> None:
        """Wait until the test client's sidecar has nothing of these rules any more."""
        while True:
            try:
                for dump in plane.dumps(self._last_look):
                    if not any(dump.has_rule(rule) for rule in rules):
                        return
            except Unseen as error:  # the rest of a removal must not depend on who watches it
                self.notify(error.message, lasting=True)
                time.sleep(min(SETTLED, self.left))
                return
            except Lost:
                pass
            time.sleep(ANSWER_PAUSE)
            if not self.left:
                message = f"the sidecar of {plane.target.pod} still has {_titles(rules)}"
                raise TimedOut(message, hint="Is istiod well? meshdemo doctor tells.")


def _lack(dump: Dump, rules: Sequence[Object]) -> Lack | None:
    """Say which rules are not in a sidecar yet, or only in an older version."""
    if late := [rule for rule in rules if not dump.is_live(rule)]:
        return Lack(f"has not got {_titles(late)}", instead=_instead(dump, late))
    for rule in rules:
        if names := dump.deviations(rule):
            text = f"has not got what {rule.title} says now ({', '.join(names)})"
            return Lack(text, is_detail=True)
    return None


def _instead(dump: Dump, late: Sequence[Object]) -> str:
    """Name the rules that a sidecar follows for hosts of rules of which it has nothing."""
    missing = [r for r in late if r.kind == "VirtualService" and not dump.has_rule(r)]
    if not missing:
        return ""
    hosts = {host for rule in missing for host in virtual_services.hosts_of(rule)}
    places = {place: None for each in dump.followed() if each.host in hosts for place in each.rules}
    return ", ".join(f"VirtualService {'/'.join(place)}" for place in places)


def _titles(rules: Sequence[Object]) -> str:
    return ", ".join(rule.title for rule in rules)


def _asked(plane: DataPlane, place: Place, deadline: float) -> str:
    try:
        return plane.trouble(place, deadline)
    except (Lost, Late) as error:
        return error.message
