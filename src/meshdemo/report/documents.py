"""Parts of the JSON document that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshdemo.diagnosis.cause import Cause
    from meshdemo.engines.results import Applied, Change, Check, Container, Pod
    from meshdemo.errors import MeshdemoError, Problem
    from meshdemo.verdict.judgement import Judgement
    from meshdemo.verdict.tally import Tally
    from meshdemo.verdict.traffic import Sample
    from meshdemo.walkthrough.verify import Measured


def problem_document(problem: Problem) -> dict[str, Any]:
    """Give one problem; ``object`` and ``field`` say what it is about, if anything."""
    return {
        "message": problem.message,
        "file": problem.file or None,
        "line": problem.line or None,
        "object": problem.subject or None,
        "field": problem.field or None,
        "hint": problem.hint or None,
        "code": problem.code or None,
    }


def error_document(error: MeshdemoError) -> dict[str, Any]:
    """Give an error with all of its problems."""
    return {
        "error": {
            "message": error.message,
            "hint": error.hint or None,
            "problems": [problem_document(item) for item in getattr(error, "problems", ())],
        }
    }


def applied_document(applied: Applied) -> dict[str, list[dict[str, Any]]]:
    """Give what is worth a word about objects that were accepted."""
    return {
        "warnings": [problem_document(item) for item in applied.warnings],
        "notes": [{"message": note} for note in applied.notes],
    }


def change_document(change: Change) -> dict[str, str | None]:
    """Give what became of one object."""
    return {
        "action": change.action,
        "kind": change.kind,
        "namespace": change.namespace,
        "name": change.name,
        "reason": change.reason or None,
    }


def check_document(check: Check) -> dict[str, Any]:
    """Give one check as data: name, whether it holds, detail and hint."""
    return {
        "name": check.name,
        "ok": check.ok,
        "detail": check.detail or None,
        "hint": None if check.ok else check.hint or None,
    }


def container_document(container: Container) -> dict[str, Any]:
    """Give one container of a pod."""
    return {
        "name": container.name,
        "image": container.image,
        "ready": container.ready,
        "restarts": container.restarts,
        "init": container.init,
        "sidecar": container.sidecar,
    }


def pod_document(pod: Pod) -> dict[str, Any]:
    """Give one pod as it is now."""
    return {
        "name": pod.name,
        "namespace": pod.namespace,
        "workload": pod.workload or None,
        "labels": dict(pod.labels),
        "ready": pod.ready,
        "isReady": pod.is_ready,
        "phase": pod.phase,
        "message": pod.message or None,
        "restarts": pod.restarts,
        "injected": pod.injected,
        "addresses": list(pod.addresses),
        "containers": [container_document(item) for item in pod.containers],
    }


def tally_document(tally: Tally) -> dict[str, Any]:
    """Give counted answers: ``versions`` by version, ``others`` by what they were."""
    return {
        "total": tally.total,
        "versions": dict(tally.versions),
        "others": dict(tally.others),
    }


def judgement_document(item: Judgement) -> dict[str, Any]:
    """Give what is judged of one outcome."""
    return {
        "version": item.claim.name,
        "expected": float(item.claim.share),
        "count": item.claim.count,
        "total": item.claim.total,
        "share": item.share,
        "interval": list(item.interval),
        "low": item.low,
        "high": item.high,
        "pValue": item.p_value,
        "exact": item.claim.exact,
        "verdict": item.outcome.value,
        "ok": item.ok,
    }


def place_document(place: Problem) -> dict[str, Any]:
    """Give where something stands: object and field, and where it was written, if known."""
    return {
        "object": place.subject or None,
        "field": place.field or None,
        "file": place.file or None,
        "line": place.line or None,
    }


def cause_document(cause: Cause) -> dict[str, Any]:
    """Give one cause of a verdict; ``place`` says where it is, if anywhere."""
    return {
        "name": cause.name,
        "message": cause.message,
        "evidence": list(cause.evidence),
        "place": place_document(cause.place),
        "fix": cause.fix,
        "verified": cause.verified,
    }


def measurement_document(sample: Sample) -> dict[str, Any]:
    """Give how the requests went."""
    rate = round(len(sample.replies) / sample.seconds, 1) if sample.seconds else None
    return {
        "complete": sample.complete,
        "brokenOff": sample.broken_off or None,
        "disturbed": sample.disturbed or None,
        "seconds": round(sample.seconds, 6),
        "requestsPerSecond": rate,
    }


def verdict_document(measured: Measured) -> dict[str, Any]:
    """Give a verdict and all that it rests on."""
    verdict, sample = measured.verdict, measured.sample
    return {
        "verdict": verdict.outcome.value,
        "evidence": list(verdict.evidence),
        "causes": [cause_document(cause) for cause in measured.causes],
        "expectation": {
            "text": str(measured.expectation),
            "shares": {name: float(share) for name, share in measured.expectation.shares},
            "fromRules": measured.promised,
        },
        "request": {
            "url": sample.request.url,
            "method": sample.request.method,
            "headers": [{"name": n, "value": v} for n, v in sample.request.headers],
            "from": measured.sender or None,
        },
        "requests": sample.wanted,
        "tally": tally_document(measured.tally),
        "judgements": [judgement_document(item) for item in verdict.judgements],
        "rule": {
            "name": verdict.rule.name,
            "margin": float(verdict.rule.precision.margin),
            "errorRate": verdict.rule.precision.error_rate,
            "hiddenShare": verdict.rule.precision.hidden_share,
            "maxRequests": verdict.rule.most,
        },
        "rulesInForce": [place_document(each.place) for each in measured.rules],
        "falseAlarm": verdict.false_alarm,
        "hiddenShare": verdict.hidden_share,
        "convergence": {
            "live": measured.convergence.live,
            "seconds": round(measured.convergence.seconds, 6),
            "cause": measured.convergence.cause or None,
        },
        "measurement": measurement_document(sample),
    }
