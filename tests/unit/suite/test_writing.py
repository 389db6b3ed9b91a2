"""``--write``: what comes back is written as what is expected, and holds when it is run again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests import chance
from tests.unit.suite.conftest import RULES
from tests.worlds import PATHS, admissible, random_world

from meshdemo.errors import InputError
from meshdemo.objects import reading as objects_reading
from meshdemo.suite import preparing, reading, running, writing
from meshdemo.suite.model import Expect, RouteTest, Sent, Source, TestFile
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import World

WORLDS = 6 if "CI" in os.environ else 3


def file_of(world: World, folder: Path) -> TestFile:
    """Write the rules of a world, and ask for several things in it."""
    rules = folder / "rules.yaml"
    rules.write_text(objects_reading.dump(world.objects))
    port = "" if world.port == 80 else f":{world.port}"
    sent = []
    for path in dict.fromkeys([world.path, PATHS[-1]]):
        for headers in ({}, world.headers):
            request = Request(f"http://{world.host}{port}{path}", world.method, (*headers.items(),))
            source = Source(world.namespace, (*world.labels.items(),))
            sent.append(Sent(request, source, label=f"{path} {sorted(headers)}"))
    test = RouteTest("t", tuple(sent), Expect())
    return TestFile("world", "world", (test,), (str(rules),), namespace=world.namespace)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_what_was_written_holds_when_it_is_run_again(seed: int, tmp_path: Path) -> None:
    found = admissible(random_world(seed))
    target = tmp_path / "tests" / "world.meshtest.yaml"
    target.parent.mkdir()
    try:
        prepared = preparing.prepare(file_of(found, tmp_path))
    except InputError as error:
        pytest.skip(f"the world is refused: {error.problems}")
    writing.write(prepared, target, timeout=60)
    (again,) = reading.read([str(target)])
    result = running.run(again)
    assert chance.failed(result) == {}, target.read_text()


def test_requests_follow_from_the_rules_until_each_of_them_is_touched(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    target = tmp_path / "shop.meshtest.yaml"
    prepared = writing.derived([str(rules)], target, "default")
    writing.write(prepared, target, timeout=60)
    result = running.run(reading.read([str(target)])[0])
    assert chance.failed(result) == {}
    assert result.coverage.percent == 100
    assert len(result.cases) == 6
    with pytest.raises(FileExistsError):
        writing.write(writing.derived([str(rules)], target, "default"), target, timeout=60)
