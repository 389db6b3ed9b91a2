"""The report of ``explain``: what the rules say of a request, and beside it what happened."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from meshdemo.engines.access_log import FLAGS
from meshdemo.report import Report
from meshdemo.report.documents import place_document
from meshdemo.rules import match_words, rule_words
from meshdemo.rules.policy_words import policy_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.objects.model import Object
    from meshdemo.report.terminal import Terminal
    from meshdemo.rules.claims import Claim
    from meshdemo.rules.http_matches import Condition
    from meshdemo.rules.request_trace import Destination, Step, Trace
    from meshdemo.walkthrough.explain import Explained

LABEL = 11
"""Columns of the label before each line."""
EXACT = 100
"""Milliseconds from which on no fraction matters."""
LONGEST_LINE = 200
"""Characters of an answer that are shown."""
OWN_HEADERS = ("x-envoy-", "x-forwarded-", "x-request-id", "x-b3-")
"""What sidecars add to a request by themselves."""
USUAL_HEADERS = (
    "connection",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-envoy-",
)
"""What answers have by themselves; the others may be a rule's."""
UNKNOWN_FLAG = "Envoy's documentation of its access log says what it means"


def explained(found: Explained) -> Report:
    """Report what became of one request, and of which rules."""
    return Report(_document(found), lambda terminal: _show(terminal, found))


# --- for programs --------------------------------------------------------------------------------


def _document(found: Explained) -> dict[str, Any]:
    request = found.request
    return {
        "request": {
            "url": request.url,
            "method": request.method,
            "headers": [{"name": n, "value": v} for n, v in request.headers],
            "from": found.sender.name,
            "requestId": found.request_id,
        },
        "predicted": _predicted(found, found.trace),
        "observed": _observed(found),
        "agrees": found.agrees,
        "differences": list(found.differences),
        "notAccountedFor": list(found.unaccounted),
        "unseen": found.unseen or None,
    }


def _predicted(found: Explained, trace: Trace) -> dict[str, Any]:
    near = trace.closest
    service = trace.dialled.service if trace.dialled else None
    return {
        "host": trace.called or None,
        "port": trace.port or None,
        "virtualHost": trace.dialled.name if trace.dialled else None,
        "service": service.title if service else None,
        "similar": list(trace.similar),
        "claims": [_claim_document(claim) for claim in trace.claims],
        "ruleCount": trace.rules,
        "tried": [_step_document(step) for step in trace.steps],
        "closest": {
            **place_document(near[1].item.problem("", *near[1].path)),
            "differing": [_condition_document(each) for each in near[0].differing],
        }
        if near
        else None,
        "actions": list(_actions(trace)),
        "path": found.expected_path(),
        "ownAnswers": [
            {"status": each.status, "share": float(each.share)} for each in trace.own_answers
        ],
        "location": trace.location or None,
        "destinations": [_destination_document(found, each) for each in trace.destinations],
        "mirrors": [
            {**_destination_document(found, each), "share": percent / 100}
            for percent, each in trace.mirrors
        ],
        "undecided": trace.undecided or None,
    }


def _claim_document(claim: Claim) -> dict[str, Any]:
    return {**place_document(claim.rule.problem("")), "wins": claim.wins, "why": claim.why}


def _step_document(step: Step) -> dict[str, Any]:
    return {
        **place_document(step.origin.item.problem("", *step.origin.path)),
        "name": step.tried.http.get("name"),
        "takes": step.tried.takes,
        "failed": [_condition_document(each) for each in step.tried.failed],
    }


def _condition_document(condition: Condition) -> dict[str, Any]:
    return {
        "field": ".".join(condition.path),
        "wanted": condition.wanted,
        "found": condition.found,
        "inWords": match_words.failed(condition),
    }


def _destination_document(found: Explained, each: Destination) -> dict[str, Any]:
    rule = each.rule
    return {
        "host": each.target.host,
        "port": each.target.port,
        "subset": each.target.subset or None,
        "share": float(each.share),
        "cluster": each.target.cluster,
        "pods": [pod.name for pod in found.behind(each)],
        "destinationRule": f"{rule.namespace}/{rule.name}" if rule else None,
        "policy": list(policy_words(each.policy)),
        "headers": list(rule_words.header_changes(each.route)),
        "refusal": each.refusal or None,
    }


def _observed(found: Explained) -> dict[str, Any]:
    observed, account, app = found.observed, found.observed.account, found.arrived
    return {
        "status": observed.reply.status or None,
        "error": observed.reply.error or None,
        "seconds": round(observed.seconds, 6),
        "headers": [{"name": n, "value": v} for n, v in observed.reply.headers],
        "body": observed.reply.body,
        "pod": found.answered_by or None,
        "sidecar": {
            "flags": [{"flag": each, "inWords": FLAGS.get(each)} for each in account.flags],
            "details": account.details or None,
            "failure": account.failure or None,
            "cluster": account.cluster or None,
            "endpoint": account.endpoint or None,
            "route": account.route or None,
            "duration": account.duration,
            "serviceTime": account.service_time,
            "copies": None if account.copies is None else list(account.copies),
        }
        if account
        else None,
        "hidden": observed.hidden or None,
        "attempts": found.attempts,
        "arrivals": [
            {"pod": each.pod, "status": each.account.status, "duration": each.account.duration}
            for each in observed.arrivals
        ]
        if observed.arrivals is not None
        else None,
        "ejected": list(found.ejected),
        "app": {
            "pod": app.pod or None,
            "version": app.version or None,
            "method": app.method or None,
            "path": app.path or None,
            "host": app.host or None,
            "headers": dict(app.headers),
        }
        if app
        else None,
    }


def _actions(trace: Trace) -> Iterator[str]:
    """Say what the rule that takes the request does besides sending it on."""
    step = trace.chosen
    winner = next((claim.rule for claim in trace.claims if claim.wins), None)
    if step is None or winner is None:
        return
    http = dict(step.tried.http)
    if said := rule_words.answer({n: part for n, part in http.items() if n != "route"}, winner):
        yield said
    yield from rule_words.actions(http, winner)


# --- for people ----------------------------------------------------------------------------------


def _show(terminal: Terminal, found: Explained) -> None:
    request = found.request
    terminal.line(f"{request.title}, from {found.sender.name} ({found.sender.namespace})")
    for name, value in request.headers:
        _row(terminal, "", f"{name}: {value}")
    for title, rows in (
        ("by the rules", _rules(found, found.trace)),
        ("what happened", _happened(found)),
    ):
        terminal.line()
        terminal.line(terminal.paint(title, "bold"))
        for label, text in rows:
            _row(terminal, label, text)
    terminal.line()
    differences = found.differences
    for text in differences:
        _row(terminal, "", f"{terminal.mark(ok=False)} NOT AS THE RULES SAY: {text}", indent=2)
    if differences:
        terminal.advise("Is everything live, and is something else in the way? meshdemo status")
    elif found.incomparable:
        _row(terminal, "", found.incomparable, indent=2)
    elif found.given_up:
        text = "not known whether it went as the rules say: no longer was waited for the answer"
        _row(terminal, "", text, indent=2)
    else:
        terminal.line(f"{terminal.mark(ok=True)} it went as the rules say")


def _row(terminal: Terminal, label: str, text: str, indent: int = LABEL + 2) -> None:
    """Write a line after its label; what is too long goes on below its beginning."""
    first = f"  {label.ljust(LABEL)}" if indent > LABEL else ""
    width = terminal.width
    if width is None:
        terminal.line(f"{first}{text}")
        return
    lines = textwrap.wrap(
        text,
        max(width - indent, 20),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines or [""]):
        terminal.line(f"{first if number == 0 else ' ' * indent}{line}")


def _at(item: Object, path: tuple[str | int, ...] = ()) -> str:
    line = item.line(*path)
    return f" ({item.file}:{line})" if item.file and line else ""


def _rules(found: Explained, trace: Trace) -> Iterator[tuple[str, str]]:
    if not trace.called:
        yield "", f"not followed: {trace.undecided}"
        return
    yield from _deciding(found, trace)
    yield from _tried(trace)
    for number, text in enumerate(_actions(trace)):
        yield "" if number else "does", text
    path = found.expected_path()
    if trace.chosen and trace.chosen.tried.http.get("rewrite"):
        yield "", f"the path becomes {path}" if path else "the path becomes what its regex makes"
    for answer in trace.own_answers:
        yield "answers", f"{_percent(float(answer.share))} with {answer.status}, by the sidecar"
    if trace.location:
        yield "", f"redirected to {trace.location}"
    left = 1 - sum(answer.share for answer in trace.own_answers)
    for each in trace.destinations:
        yield from _destination(found, "to", _percent(float(left * each.share)), each)
    for percent, each in trace.mirrors:
        yield from _destination(found, "copies to", f"{percent:g} %", each)
    remarks = {
        "note": trace.undecided,
        "besides": ", ".join(found.unaccounted),
        "unseen": found.unseen,
    }
    yield from ((label, text) for label, text in remarks.items() if text)


def _deciding(found: Explained, trace: Trace) -> Iterator[tuple[str, str]]:
    """Say which host it is, and which VirtualService decides about it."""
    dialled = trace.dialled
    service = f", {dialled.service.title}" if dialled and dialled.service else ""
    known = "" if dialled else ", which nothing here is called"
    yield "host", f"{trace.called}:{trace.port}{service}{known}"
    if trace.similar:
        yield "", f"there is {' and '.join(trace.similar)}"
    for claim in trace.claims:
        label = "decides" if claim.wins else "not"
        yield label, f"{claim.rule.title}{_at(claim.rule)}: {claim.why}"
    if (
        not any(claim.wins for claim in trace.claims)
        and found.sender.injected
        and dialled
        and dialled.port
    ):
        yield "decides", "no VirtualService: it goes to the service itself"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _tried(trace: Trace) -> Iterator[tuple[str, str]]:
    """Say of each http rule why it does not take the request, up to the one that does."""
    for step in trace.steps:
        origin, tried = step.origin, step.tried
        place = _at(origin.item, origin.path)
        winner = next((claim.rule.title for claim in trace.claims if claim.wins), "")
        whose = "" if origin.item.title == winner else f" of {origin.item.title}"
        name = f' "{tried.http["name"]}"' if tried.http.get("name") else ""
        label = f"http[{origin.number}]"
        if tried.takes:
            yield label, f"takes it{name}{whose}{place}"
            continue
        yield label, f"no{name}{whose}{place}: {_or(tried.failed)}"
    if trace.steps and trace.chosen is None and not trace.undecided:
        yield "none", f"of {trace.rules} http rules takes it: 404, flag NR"
    if trace.closest:
        near, origin = trace.closest
        wrong = "; and ".join(map(match_words.failed, near.differing))
        yield "closest", f"http[{origin.number}]{_at(origin.item, origin.path)}: {wrong}"


def _or(failed: Iterable[Condition]) -> str:
    return ", or ".join(map(match_words.failed, failed))


def _destination(
    found: Explained, label: str, share: str, each: Destination
) -> Iterator[tuple[str, str]]:
    subset = f"subset {each.target.subset} of " if each.target.subset else ""
    where = f"{subset}{each.target.host}, port {each.target.port}"
    pods = ", ".join(pod.name for pod in found.behind(each))
    if each.refusal:
        pods = each.refusal
    elif each.target.passes_through:
        pods = "wherever the address leads that was dialled"
    elif not pods:
        pods = "no pod" if not (each.service and each.service.endpoints) else "its endpoints"
    yield label, f"{share} {where}: {pods}"
    if each.rule:
        said = "; ".join(policy_words(each.policy))
        yield (
            "",
            f"by DestinationRule {each.rule.namespace}/{each.rule.name}"
            + (f": {said}" if said else ""),
        )
    for text in rule_words.header_changes(each.route):
        yield "", text


def _happened(found: Explained) -> Iterator[tuple[str, str]]:
    observed, account = found.observed, found.observed.account
    reply = observed.reply
    by = f", by {found.answered_by}" if found.answered_by else ""
    by = ", by the client's sidecar" if found.by_sidecar else by
    none = f"given up after {found.request.time_limit:g} s" if found.given_up else reply.error
    yield "answer", f"{reply.status}{by}" if reply.status else f"none: {none}"
    first = next(iter(reply.body.strip().splitlines()), "")
    if first and found.arrived is None:
        yield "", _cut(first)
    for name, value in reply.headers:
        if not name.lower().startswith(USUAL_HEADERS):
            yield "", _cut(f"{name}: {value}")
    dialled = found.trace.dialled
    unseen = found.sender.injected and dialled and dialled.chooses_by_connection
    if account is None and unseen:
        yield "sidecar", "sees no HTTP on this port, and so says nothing of it"
    elif account is None:
        yield "sidecar", f"not known: {observed.hidden}"
    else:
        for flag in account.flags:
            yield "flag", f"{flag}: {FLAGS.get(flag, UNKNOWN_FLAG)}"
        if found.ejected:
            yield "ejected", f"by outlier detection, for now: {', '.join(found.ejected)}"
        yield "details", account.details + (f": {account.failure}" if account.failure else "")
        if account.cluster:
            endpoint = f", at {account.endpoint}" if account.endpoint else ""
            label = "meant for" if found.came_to_no_pod else "sent to"
            yield label, f"{account.cluster}{endpoint}"
        for cluster in account.copies or ():
            yield "copied to", cluster
    yield from _arrivals(found)
    yield "time", ", ".join(_times(found))
    yield from _app(found)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ..."


def _arrivals(found: Explained) -> Iterator[tuple[str, str]]:
    arrivals = found.observed.arrivals
    if found.attempts is not None and found.attempts > 1:
        yield "attempts", f"{found.attempts}: it was retried"
    if arrivals is None:
        return
    for each in arrivals if len(arrivals) > 1 else ():
        answered = f"answered {each.account.status}" if each.account.status else "did not answer"
        yield "", f"came to {each.pod}, which {answered}"
    if not arrivals and found.sender.injected and not found.came_to_no_pod:
        yield "arrived", "at no pod with a sidecar"


def _times(found: Explained) -> Iterator[str]:
    yield f"{_ms(found.observed.seconds)} for the client"
    account = found.observed.account
    if account and account.duration is not None:
        yield f"{_ms(account.duration)} in its sidecar"
    said = found.observed.reply.header("x-envoy-upstream-service-time") or ""
    waited = account.service_time if account else None
    if waited is None and said.isdecimal():
        waited = int(said) / 1000
    if waited is not None:
        yield f"of that {_ms(waited)} until the pod answered"
    for each in found.observed.arrivals or ():
        if each.pod == found.answered_by and each.account.duration is not None:
            yield f"{_ms(each.account.duration)} at the pod"


def _ms(seconds: float) -> str:
    milliseconds = 1000 * seconds
    return f"{milliseconds:,.0f} ms" if milliseconds >= EXACT else f"{milliseconds:.3g} ms"


def _app(found: Explained) -> Iterator[tuple[str, str]]:
    app = found.arrived
    if found.came_to_no_pod:
        yield "app saw", "nothing: it came to no pod"
        return
    if app is None:
        yield "app saw", "its answer does not say (that of the image meshdemo/echo would)"
        return
    yield "app saw", f"{app.method} {app.path}, host {app.host}"
    sent = {name.lower(): value for name, value in found.request.headers}
    for name, value in app.headers.items():
        if name.lower() != "host" and sent.get(name.lower()) != value:
            own = name.lower().startswith(OWN_HEADERS)
            yield "", f"{name}: {value}" + (" (by a sidecar)" if own else "")
