"""Lines of access logs, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from meshdemo.engines import access_log
from meshdemo.engines.access_log import Account

VIA = (
    '[2026-11-29T05:48:03.290Z] "GET /env/version HTTP/1.1" 200 DI via_upstream - "-" 0 2 202 1 '
    '"-" "meshdemo 1" "6e34" "app" "127.0.0.1:30129" '
    "outbound|80|v2|app.default.svc.cluster.local 127.0.0.1:5 127.0.0.1:6 127.0.0.1:7 - anna"
)
REFUSED = (
    '[2026-11-29T05:48:03.290Z] "GET /a?b=c HTTP/1.1" 503 URX,UF '
    'upstream_reset_before_response_started{connection_failure} - "immediate connect error: 111" '
    '0 9 31 - "-" "curl/8" "77" "app" "10.0.0.1:80" outbound|80||app.x.svc.cluster.local '
    "- 10.0.0.2:80 10.0.0.3:5 - default"
)


@pytest.mark.parametrize(
    ("line", "account"),
    [
        (
            VIA,
            Account(
                200,
                ("DI",),
                "via_upstream",
                "",
                "outbound|80|v2|app.default.svc.cluster.local",
                "127.0.0.1:30129",
                "anna",
                0.202,
                0.001,
                "/env/version",
                "app",
                "6e34",
            ),
        ),
        (
            REFUSED,
            Account(
                503,
                ("URX", "UF"),
                "upstream_reset_before_response_started{connection_failure}",
                "immediate connect error: 111",
                "outbound|80||app.x.svc.cluster.local",
                "10.0.0.1:80",
                "default",
                0.031,
                None,
                "/a?b=c",
                "app",
                "77",
            ),
        ),
        (
            json.dumps(
                {
                    "response_code": 404,
                    "response_flags": "NR",
                    "response_code_details": "route_not_found",
                    "duration": 0,
                    "upstream_host": None,
                    "request_id": "9",
                    "path": "/x",
                    "authority": "app",
                }
            ),
            Account(
                404,
                ("NR",),
                "route_not_found",
                duration=0.0,
                path="/x",
                host="app",
                request_id="9",
            ),
        ),
        ("2026-11-29T05:48:03Z\tinfo\tready", None),
        ('{"level": "info"}', None),
        ("{broken", None),
    ],
)
def test_a_line_says_what_became_of_a_request(line: str, account: Account | None) -> None:
    assert access_log.read(line) == account


UNREAD = (
    '[2026-11-30T02:18:06.407Z] "- - HTTP/1.1" 431 DPE http1.headers_too_large - "-" 0 31 0 - "-" '
    '"-" "-" "-" "-" - - 127.0.0.1:22262 127.0.0.1:53596 - -'
)


def test_a_request_that_could_not_be_read_is_told_from_others() -> None:
    unread, read = access_log.read(UNREAD), access_log.read(VIA)
    assert unread is not None
    assert (unread.status, unread.is_unread) == (431, True)
    assert read is not None
    assert not read.is_unread


def test_when_a_request_began() -> None:
    assert access_log.began(UNREAD) == pytest.approx(1796005086.407)
    assert access_log.began("no line of an access log") == 0
