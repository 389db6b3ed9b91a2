"""What a sidecar's log says of a request at level debug: lines of a real Envoy 1.40."""

from __future__ import annotations

import json

import pytest

from meshdemo.engines.access_log import Account
from meshdemo.engines.cluster.sidecar import debug_log

ID = "4843c3c4-bd1a-421f-bfe5-2fddb8c8d252"
CLUSTER = "outbound|80|v1|app.default.svc.cluster.local"
OWN = "[2026-11-29 05:50:07.293][10947][debug][{logger}] [source/{logger}.cc:1] {tags} {text}"
ISTIO = "2026-11-29T05:50:07.293Z\tdebug\tenvoy {logger} external/x.cc:1\t{tags} {text}\tthread=9"
TAGS = '[Tags: "ConnectionId":"{n}","StreamId":"{n}"]'
OLD_TAGS = "[C{n}][S{n}]"


def log(form: str, tags: str, *entries: str, request_id: str = ID, stream: int = 66) -> list[str]:
    """Write entries of one request as a sidecar does, each of them with its logger before."""
    head = f"http request headers complete (end_stream=true):\n'x-request-id', '{request_id}'\n"
    lines: list[str] = []
    for entry in (head, *entries):
        logger, _, text = entry.partition(" ")
        filled = form.format(logger=logger, tags=tags.format(n=stream), text=text)
        lines += filled.splitlines()
    return lines


SENT = f"router cluster '{CLUSTER}' match for URL '/x'"
DONE = "http encoding headers via codec (end_stream=false):\n':status', '{}'\n'server', 'envoy'"


@pytest.mark.parametrize(("form", "tags"), [(OWN, TAGS), (ISTIO, TAGS), (ISTIO, OLD_TAGS)])
@pytest.mark.parametrize(
    ("entries", "account"),
    [
        (
            (SENT, "router upstream headers complete: end_stream=false", DONE.format(200)),
            Account(200, (), "via_upstream", cluster=CLUSTER, request_id=ID, retries=0, copies=()),
        ),
        (
            (SENT, "router performing retry", "router performing retry", DONE.format(503)),
            Account(503, cluster=CLUSTER, request_id=ID, retries=2, copies=()),
        ),
        (
            (
                f"router unknown cluster '{CLUSTER}'",
                "http Preparing local reply with details cluster_not_found",
                DONE.format(503),
            ),
            Account(
                503, ("NC",), "cluster_not_found", "", CLUSTER, request_id=ID, retries=0, copies=()
            ),
        ),
        (
            ("router no route match for URL '/x'", DONE.format(404)),
            Account(404, ("NR",), request_id=ID, retries=0, copies=()),
        ),
        (
            (
                SENT,
                "http Sending local reply with details no_healthy_upstream",
                DONE.format(503),
            ),
            Account(
                503,
                ("UH",),
                "no_healthy_upstream",
                "",
                CLUSTER,
                request_id=ID,
                retries=0,
                copies=(),
            ),
        ),
    ],
)
def test_it_says_where_a_request_went_and_how_often(
    form: str, tags: str, entries: tuple[str, ...], account: Account
) -> None:
    other = log(form, tags, DONE.format(500), request_id="other", stream=7)
    assert debug_log.read([*other, *log(form, tags, *entries), *other], ID) == account


def test_a_log_in_json_is_read_as_well() -> None:
    tags = TAGS.format(n=66)
    said = (f"{tags} request headers complete:\n'x-request-id', '{ID}'", f"{tags} {SENT}")
    lines = [json.dumps({"level": "debug", "scope": "envoy router", "msg": msg}) for msg in said]
    assert debug_log.read(["plain", *lines], ID) == Account(
        cluster=CLUSTER, request_id=ID, retries=0, copies=()
    )


def test_of_a_request_that_is_not_in_it_nothing_is_said() -> None:
    assert debug_log.read(log(OWN, TAGS, SENT, request_id="other"), ID) is None


def test_it_says_where_copies_went() -> None:
    copy = f"router cluster '{CLUSTER.replace('v1', 'v2')}' match for URL '/x'"
    shadow = f"router router decoding headers:\n':authority', 'app-shadow'\n'x-request-id', '{ID}'"
    other = log(OWN, TAGS, copy, request_id="other", stream=7)
    lines = [*other, *log(OWN, TAGS, SENT), *log(OWN, TAGS, copy, shadow, stream=0)]
    found = debug_log.read(lines, ID)
    assert found is not None
    assert (found.cluster, found.copies) == (CLUSTER, (CLUSTER.replace("v1", "v2"),))
