"""The live page of a real cluster: its dots are answers of the pods, its levers their rules."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.live_page import Page, told, total, until

if TYPE_CHECKING:
    Cluster = Any

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("istio")]

ANSWERS = 40


def test_dots_are_answers_and_a_lever_is_live_in_the_sidecar(running: tuple[Cluster, str]) -> None:
    cluster, namespace = running
    server = cluster.start("ui", "-n", namespace, "--no-browser", "-o", "json")
    try:
        page = Page(json.loads(server.stdout.readline())["url"])
        with page.news() as news:
            first = until(news, total(ANSWERS))
            came = [what for name, data in first if name == "answers" for what in data["came"]]
            (levers,) = [data for name, data in first if name == "levers"]
            move = {"base": levers["base"], "to": {**levers["to"], "weights": [100, 0]}}
            shown = page.post("/preview", move)
            done = page.post("/change", move)
            changed = until(news, lambda name, _: name == "changed")[-1][1]
            then = until(news, total(ANSWERS))
            began = time.monotonic()
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=60)
            seconds = time.monotonic() - began
    finally:
        server.kill()
    counts = first[-1][1]
    assert came == ["v2"] * counts["received"]
    assert (counts["verdict"], counts["lanes"]["v2"]["promised"]) == ("inconclusive", 1), "so few"
    assert levers["ways"] == ["v1", "v2"]
    (command,) = json.loads(shown.body)["commands"]
    assert command.startswith("kubectl ")
    assert " apply -f - <<'EOF'" in command
    assert done.status == 200, done.body
    assert changed["byPage"]
    (what,) = changed["what"]
    assert told(what) == f"VirtualService {namespace}/app-default-v2 was changed"
    after = then[-1][1]["lanes"]
    assert (after["v1"]["count"], after["v2"]["count"]) == (then[-1][1]["total"], 0)
    assert seconds < 1, "with a page open"
    assert "Traceback" not in said
    # The page left the mesh as it made it: with the rule that was asked for.
    cluster.meshdemo("verify", "--expect", "v1=100%", "-n", namespace)
