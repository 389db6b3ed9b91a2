"""All that is known once answers were counted: objects, pods, replies, and what the rules promise.

It is gathered once, and only for a verdict that is not met; every cause is looked for in it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field

from meshdemo.engines.results import Sync
from meshdemo.engines.test_client import answering
from meshdemo.errors import InputError
from meshdemo.language import said
from meshdemo.rules import promise, request_trace
from meshdemo.rules.client_view import Client, ClientView
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.tally import UNKNOWN
from meshdemo.verdict.traffic import status_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshdemo.engines.results import Observed, Pod
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination, Trace
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.judging import Verdict
    from meshdemo.verdict.tally import Tally
    from meshdemo.verdict.traffic import Sample


class Facts(Struct, frozen=True, dict=True):
    """What a diagnosis rests on."""

    verdict: Verdict
    expectation: Expectation
    sample: Sample
    tally: Tally
    not_live: str
    """Why the rules were not live when the measurement began; empty if they were."""
    sender: Pod
    objects: tuple[Object, ...]
    pods: tuple[Pod, ...]
    client: Client
    url_is: str = "--url"
    """Where the URL was said."""
    ejected: tuple[Ejected, ...] = ()
    """What the client's sidecar leaves out; not asked for where no rule has it eject anything."""
    flags: Mapping[str, int] = field(default_factory=dict)
    """How many of these requests have which of Envoy's response flags, by its access log; empty
    where there is none."""
    scaled_to_zero: Callable[[], tuple[str, ...]] = tuple
    """Names the workloads here that have no pods because they want none, as KIND NAME."""
    last_lines: Callable[[Pod, str], tuple[str, ...]] = lambda _pod, _container: ()
    """Gives the end of what a container wrote."""
    tries_again: Callable[[], Observed | None] = lambda: None
    """Sends one more of these requests, and reads what the sidecar says of it."""
    sync: Callable[[], Sync] = Sync
    """Asks the mesh how far the client's sidecar has its configuration."""
    analyze: Callable[[], tuple[Problem, ...]] = tuple
    """Asks Istio's own analyzer about the rules that act, which takes seconds."""

    @cached_property
    def trace(self) -> Trace:
        """What becomes of the request, as the rules say."""
        return request_trace.trace(self.objects, self._answering, self.sample.request, self.client)

    @cached_property
    def view(self) -> ClientView:
        """What the client sees of the mesh."""
        return ClientView.of(self.objects, self.client)

    @cached_property
    def promise(self) -> Expectation | None:
        """What the rules promise; None where that is no split by version."""
        return self.promise_of(self.objects)

    @property
    def is_promised(self) -> bool:
        """Tell whether the rules promise what is expected."""
        return self.promise is not None and _agree(self.promise, self.expectation)

    def promise_of(
        self, objects: Sequence[Object], client: Client | None = None
    ) -> Expectation | None:
        """Say what other objects, or another client, would be promised."""
        try:
            return promise.promised(
                objects, self._answering, self.sample.request, client or self.client
            )
        except InputError:
            return None

    def would_keep(self, objects: Sequence[Object], client: Client | None = None) -> bool:
        """Tell whether with these objects the rules would promise what is expected.

        That proves the difference between them to be the cause.
        """
        found = self.promise_of(objects, client)
        return found is not None and _agree(found, self.expectation)

    @cached_property
    def short_versions(self) -> frozenset[str]:
        """Name the versions of which too few answers came."""
        return frozenset(
            item.claim.name
            for item in self.verdict.judgements
            if item.outcome is Outcome.NOT_MET
            and item.claim.count < item.claim.share * item.claim.total
        )

    def statuses(self, status: int) -> int:
        """Count the answers with a status."""
        return self.tally.others.get(status_kind(status), 0)

    def came(self, status: int) -> tuple[str, ...] | None:
        """Say in one line of evidence how many answers had a status; None where none had.

        Where nothing was sent there is no such line, and what the rules say counts alone.
        """
        if not self.tally.total:
            return ()
        number = self.statuses(status)
        if not number:
            return None
        counts = {"count": number, "total": self.tally.total}
        return (said("{count:,} of {total:,} answers were {status}", status=status, **counts),)

    @property
    def unknown(self) -> str:
        """The first kind of answers with status 200 that name no known version; empty if none."""
        return next((kind for kind in self.tally.others if kind.startswith(UNKNOWN)), "")

    def shown(self, count: int, found: str) -> tuple[str, ...]:
        """Say in one line of evidence how many answers were no version's, and show one."""
        total = self.tally.total
        return (said("{count:,} of {total:,}: {found}", count=count, total=total, found=found),)

    def saying(self, *texts: str) -> int:
        """Count the errors whose body holds one of these texts, in Envoy's own words."""
        return sum(
            reply.status >= 400 and any(text in reply.body for text in texts)  # noqa: PLR2004 - HTTP's
            for reply in self.sample.replies
        )

    def behind(self, destination: Destination) -> list[Pod]:
        """Give the pods that a destination leads to."""
        return destination.behind(self.pods)

    def owner(self, pod: Pod) -> Object | None:
        """Give the workload that made a pod, where it is seen."""
        place = pod.namespace, pod.workload or pod.name
        makers = (item for item in self.objects if item.makes_pods)
        return next((item for item in makers if (item.namespace, item.name) == place), None)

    @cached_property
    def _answering(self) -> list[tuple[str, Mapping[str, str]]]:
        return answering(self.pods, self.sender)


def _agree(promised: Expectation, expected: Expectation) -> bool:
    """Tell whether two expectations are of the same shares; what one leaves open may be any."""
    ours = dict(promised.shares)
    theirs = dict(expected.shares)
    if any(ours.get(name, 0) != share for name, share in theirs.items()):
        return False
    # What is left to any version is left to no error.
    return set(promised.kinds) <= set(theirs)
