"""The article's app, as the process that a pod runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.unit.engines.local.conftest import held_port

if TYPE_CHECKING:
    from tests.unit.engines.local.conftest import App, Start

LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        pytest.param("/env/version", 200, "v1", id="set"),
        pytest.param("/env/spaced%20name", 200, "x y", id="name-is-decoded"),
        pytest.param("/env/empty", 200, "", id="empty"),
        pytest.param("/env/missing", 404, "no environment variable missing\n", id="unset"),
        pytest.param("/env/MESHDEMO_LISTEN", 404, None, id="the-engines-own"),
        pytest.param("/", 404, None, id="root"),
        pytest.param("/environment", 404, None, id="other-path"),
    ],
)
def test_flaskapp_shows_its_environment(
    flaskapp: App, target: str, status: int, body: str | None
) -> None:
    answer = flaskapp.ask(target)
    assert answer[0] == status
    assert body is None or answer[1] == body


def test_flaskapp_is_for_reading(flaskapp: App) -> None:
    assert flaskapp.ask("/env/version", "HEAD")[:2] == (200, "")
    assert flaskapp.ask("/env/version", "POST")[0] == 405


def test_flaskapp_fetches_through_its_pods_proxy(flaskapp: App) -> None:
    status, body, _ = flaskapp.ask(f"/fetch?url={quote('http://other:8000/a?b=c', safe='')}")
    seen = json.loads(body)
    assert (status, seen["path"], seen["host"]) == (200, "/a?b=c", "other:8000")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("", "url", id="no-url"),
        pytest.param("?url=https://app/", "http://", id="https"),
        pytest.param("?url=file:///etc/passwd", "http://", id="file"),
    ],
)
def test_flaskapp_fetches_http_only(flaskapp: App, query: str, words: str) -> None:
    status, body, _ = flaskapp.ask(f"/fetch{query}")
    assert status == 400
    assert words in body


def test_flaskapp_says_that_its_proxy_is_down(start: Start) -> None:
    with held_port() as port:
        nobody = f"http://{LOOPBACK}:{port}"
        fetching = start("flaskapp", env={"http_proxy": nobody})
        status, body, _ = fetching.ask("/fetch?url=http://app/")
    assert status == 502
    assert body.startswith("http://app/: the pod's own proxy")
    assert body.endswith("connection refused\n")
