"""Every engine, each test with a mesh of its own that is gone afterwards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshdemo import manifests
from meshdemo.engines import say_nothing
from meshdemo.engines.local.engine import LocalEngine
from meshdemo.settings import Settings
from meshdemo.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.engines import Engine
    from meshdemo.manifests import Object

FOLDER = Path(__file__).parents[2] / "manifests"
ENGINES = {"local": LocalEngine}
SECONDS = 30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", timeout=SECONDS)


@pytest.fixture
def local(settings: Settings) -> Iterator[LocalEngine]:
    """Give the local engine itself, for what it promises beyond the protocol."""
    made = LocalEngine(settings)
    yield made
    wrong = [check for check in made.down() if not check.ok]
    assert not wrong


@pytest.fixture(params=ENGINES, ids=str)
def engine(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    made = ENGINES[request.param](settings, say_nothing)
    yield made
    wrong = [check for check in made.down(everything=True) if not check.ok]
    assert not wrong


@pytest.fixture(scope="session")
def walkthrough() -> dict[str, tuple[Object, ...]]:
    """Give the article's objects by the names of their files."""
    return {path.stem: manifests.read([str(path)]) for path in FOLDER.glob("*.yaml")}


@pytest.fixture(scope="session")
def workloads(walkthrough: dict[str, tuple[Object, ...]]) -> tuple[Object, ...]:
    return (*walkthrough["app-istio"], *walkthrough["test-client"])


@pytest.fixture(scope="session")
def rules(walkthrough: dict[str, tuple[Object, ...]]) -> tuple[Object, ...]:
    return (*walkthrough["app-destinationrule"], *walkthrough["app-default-vs-v2"])


@pytest.fixture
def up(
    engine: Engine, workloads: tuple[Object, ...], rules: tuple[Object, ...]
) -> Callable[[], None]:
    """Make the walkthrough's objects true, with sidecars."""

    def apply() -> None:
        objects = engine.inject([*workloads, *rules])
        engine.apply(objects)
        engine.wait_ready(objects, SECONDS)

    return apply


@pytest.fixture
def deploy(engine: Engine) -> Callable[..., None]:
    """Apply objects and wait until they are true."""

    def apply(*objects: Object) -> None:
        engine.apply(objects)
        engine.wait_ready(objects, SECONDS)

    return apply


@pytest.fixture
def answers(engine: Engine) -> Callable[..., Counter[str]]:
    """Send requests, and count what came back: a body, or a status that is not 200."""

    def count(number: int = 100, url: str = "http://app/env/version") -> Counter[str]:
        replies = engine.send(Request(url), number, SECONDS)
        return Counter(
            r.error or (r.body if r.status == 200 else f"HTTP {r.status}") for r in replies
        )

    return count
