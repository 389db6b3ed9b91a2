"""What a diagnosis rests on, gathered from an engine: only where something is not as expected."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.diagnosis import beside, diagnose
from meshdemo.diagnosis.facts import Facts
from meshdemo.engines.results import LAST_LINES, Sync
from meshdemo.errors import EnvironmentFailed, MeshdemoError
from meshdemo.language import joined, said
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.verdict import judging
from meshdemo.verdict.expectation import Expectation
from meshdemo.verdict.tally import Tally
from meshdemo.verdict.traffic import Sample
from meshdemo.walkthrough import pod_selection, written
from meshdemo.walkthrough.request_context import with_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.diagnosis.cause import Cause
    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Observed, Pod
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Request
    from meshdemo.walkthrough.request_context import RequestContext
    from meshdemo.walkthrough.verify import Measured

NOTHING = Expectation(())
ONE_MORE = 30.0
"""Seconds for one more request, which an app may be slow to answer."""


def located(engine: Engine, context: RequestContext) -> RequestContext:
    """Give the objects with the files and lines that they were applied from."""
    objects = written.located(context.objects, engine.files(), (), engine.where.namespace)
    return replace(context, objects=objects)


def of_verdict(engine: Engine, context: RequestContext, measured: Measured) -> tuple[Cause, ...]:
    """Look for the causes of a verdict that is not met."""
    now = replace(located(engine, context), pods=context.pods_again(engine))
    facts = Facts(
        measured.verdict,
        measured.expectation,
        measured.sample,
        measured.tally,
        "" if measured.convergence.silent else measured.convergence.cause,
        now.sender,
        now.objects,
        now.pods,
        now.client,
        ejected=engine.ejected() if _may_eject(now.objects) else (),
        flags=_flags(engine, measured) if "retries" in str([o.spec for o in now.objects]) else {},
        scaled_to_zero=lambda: engine.mesh_status().without_pods,
        last_lines=lambda pod, container: _last_lines(engine, pod, container),
        tries_again=lambda: _one_more(engine, now.request),
        sync=lambda: _sync(engine),
        analyze=lambda: engine.analyze([each.item for each in now.acting()]),
    )
    return (*beside(facts), *diagnose(facts))


def of_no_promise(engine: Engine, context: RequestContext) -> Iterator[Problem]:
    """Look for what keeps the rules from promising a version, where that has a place.

    Nothing is sent for it: what the rules say is proof enough of what they do not say.
    """
    now, tally = located(engine, context), Tally.of(())
    verdict = judging.judge(judging.rule_for(NOTHING), tally)
    sample = Sample(now.request, 0, (), 0.0)
    facts = Facts(
        verdict, NOTHING, sample, tally, "", now.sender, now.objects, now.pods, now.client
    )
    for cause in diagnose(facts):
        message = joined(said("; "), [cause.message, *cause.evidence])
        yield replace(cause.place, message=message, hint=cause.fix)


def _flags(engine: Engine, measured: Measured) -> Mapping[str, int]:
    """Count Envoy's response flags of these requests, where its sidecar writes an access log."""
    from meshdemo.engines import access_log  # noqa: PLC0415 - only where a rule has retries

    client, count = pod_selection.require_client(engine), len(measured.sample.replies)
    found: Counter[str] = Counter()
    with suppress(EnvironmentFailed):
        for line in engine.logs(client.name, ISTIO_PROXY, tail=count, access=True):
            if account := access_log.read(line):
                found.update(account.flags)
    return found


def _last_lines(engine: Engine, pod: Pod, container: str) -> tuple[str, ...]:
    """Give the end of what a container wrote; nothing where one may not see that."""
    with suppress(EnvironmentFailed):
        return tuple(engine.logs(pod.name, container, tail=LAST_LINES))
    return ()


def _one_more(engine: Engine, request: Request) -> Observed | None:
    """Send one more of these requests, and look at it; None where that cannot be done."""
    with suppress(MeshdemoError):
        return engine.observe(with_id(request), ONE_MORE)
    return None


def _sync(engine: Engine) -> Sync:
    try:
        return engine.sync()
    except EnvironmentFailed as error:
        return Sync(hidden=error.message.splitlines()[0])


def _may_eject(objects: Sequence[Object]) -> bool:
    """Tell whether a rule has a sidecar leave out pods that fail."""
    return any("outlierDetection" in str(o.spec) for o in objects if o.kind == "DestinationRule")
