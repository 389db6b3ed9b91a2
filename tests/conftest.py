"""What every test gets: an environment that says nothing about the machine it runs on."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from tests.chance import NOT_RULED_OUT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Who runs the tests in the background of a script has SIGINT ignored, and so would every command
# that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Container images set PYTHONDONTWRITEBYTECODE: then each worker would rewrite and compile all test
# modules anew, which takes it three seconds.
sys.dont_write_bytecode = False

# Nothing that collecting makes is garbage: to search it over and over takes a third of its time.
gc.disable()

# How fast an example is says something of the machine only. In CI a change is judged by the same
# examples each time; elsewhere fewer but new ones are tried, and one that fails is remembered.
settings.register_profile(
    "suite",
    deadline=None,
    max_examples=100 if "CI" in os.environ else 30,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("suite")

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "MESHDEMO_ENVOY")
WHOLE_MACHINE = "whole_machine"
"""The mark of tests that must run alone, and what ``make acceptance`` calls their stage by."""
RARE = 1e-5
"""How seldom a test may fail by chance: verify's own 1 in 100 would fail a run of all of them."""


def assert_split(document: Any, code: int) -> None:
    """See that a verdict is the one of its figures, and these are what chance makes of a split."""
    known = {("met", 0), ("not met", 1), ("inconclusive", 4)}
    assert (document["verdict"], code) in known, document
    assert document["exitCode"] == code
    judgements = document["judgements"]
    assert all(each["ok"] for each in judgements) is (code == 0)
    assert code != 4 or any(NOT_RULED_OUT in said for said in document["evidence"]), document
    assert len([each for each in judgements if not each["exact"]]) > 1
    for each in judgements:
        assert each["ok"] or (not each["exact"] and each["pValue"] > RARE), document


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of those that must run alone, import only the modules that have some."""
    if config.option.markexpr != WHOLE_MACHINE or collection_path.is_dir():
        return None
    return True if WHOLE_MACHINE not in collection_path.read_text(encoding="utf-8") else None


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Let those that must run alone wait for all others of this user, and these for them.

    They wait here, where no test's time runs. Of xdist's processes the one that hands out the
    tests waits, and the others for it.
    """
    gc.freeze()  # what collecting made stays: nobody need look at it again
    gc.enable()
    options = session.config.option
    if options.collectonly or hasattr(session.config, "workerinput"):
        return (yield)
    file = Path(tempfile.gettempdir(), f"meshdemo-tests-{os.getuid()}.lock")
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if options.markexpr == WHOLE_MACHINE else fcntl.LOCK_SH)
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide proxies, kubeconfigs, a home folder and colours; fix the terminal's width."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(KEPT):
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("COLUMNS", "120")
        patch.setenv("NO_COLOR", "1")
        patch.setenv("MESHDEMO_LANG", "en")
        yield
