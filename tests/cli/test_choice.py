"""Which engine a command is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.choice import choose_engine, kubeconfig_about, open_engine
from meshdemo.engines.protocol import say_nothing
from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

    from meshdemo.engines.choice import Choice
    from meshdemo.engines.protocol import Engine, Notify


@pytest.mark.parametrize(
    ("given", "environment", "engine", "why"),
    [
        ({"engine": "local"}, {"MESHDEMO_ENGINE": "cluster"}, "local", "--engine"),
        ({"engine": "cluster"}, {"MESHDEMO_ENGINE": "local"}, "cluster", "--engine"),
        ({"context": "c"}, {"MESHDEMO_ENGINE": "local"}, "cluster", "--context"),
        ({"kubeconfig": "k"}, {}, "cluster", "--kubeconfig"),
        ({}, {"MESHDEMO_ENGINE": "local", "MESHDEMO_CONTEXT": "c"}, "local", "MESHDEMO_ENGINE"),
        ({}, {"MESHDEMO_CONTEXT": "c"}, "cluster", "MESHDEMO_CONTEXT"),
        ({}, {}, "local", "nothing names a cluster"),
    ],
    ids=str,
)
def test_the_choice_follows_the_contract(
    tmp_path: Path,
    given: dict[str, str],
    environment: dict[str, str],
    engine: str,
    why: str,
) -> None:
    settings = Settings(state_dir=tmp_path, **given)  # type: ignore[arg-type]  # only these fields
    choice = choose_engine(settings, changes=True, environment=environment)
    assert (choice.engine, choice.why) == (engine, why)


@pytest.mark.parametrize("changes", [True, False], ids=["changing", "reading"])
def test_a_cluster_that_nobody_named_is_only_read(tmp_path: Path, *, changes: bool) -> None:
    choice = choose_engine(
        Settings(state_dir=tmp_path), changes=changes, environment={"KUBECONFIG": "/k"}
    )
    assert choice.engine == ("local" if changes else "cluster")


def test_the_recorded_run_goes_before_a_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"engine": "local"}))
    choice = choose_engine(
        Settings(state_dir=tmp_path), changes=False, environment={"KUBECONFIG": "/k"}
    )
    assert choice.engine == "local"
    assert "recorded" in choice.why


def test_a_recorded_cluster_run_goes_on_with_its_context(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"engine": "cluster", "context": "kind"}))
    choice = choose_engine(Settings(state_dir=tmp_path), changes=True, environment={})
    assert (choice.engine, choice.settings.context) == ("cluster", "kind")


RUN = {"engine": "cluster", "context": "kind", "kubeconfig": "/k", "namespace": "shop"}


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "shop"),
        ({"namespace": "other"}, "other"),
        ({"context": "kind"}, None),
        ({"kubeconfig": "/k"}, None),
        ({"engine": "cluster"}, None),
    ],
    ids=str,
)
def test_the_recorded_namespace_is_for_who_names_no_cluster_and_no_other(
    tmp_path: Path, given: dict[str, str], place: str | None
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    settings = Settings(state_dir=tmp_path, **given)  # type: ignore[arg-type]  # only these fields
    choice = choose_engine(settings, changes=True, environment={})
    assert choice.settings.place == place
    assert choice.settings.namespace == given.get("namespace")  # what a file says is no conflict


def test_the_environment_names_a_cluster_anew(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    settings = Settings(state_dir=tmp_path)
    choice = choose_engine(settings, changes=True, environment={"MESHDEMO_CONTEXT": "kind"})
    assert choice.settings.place is None


def test_a_script_for_the_recorded_run_names_its_namespace(cli: Cli) -> None:
    cli.state.mkdir()
    (cli.state / "run.json").write_text(json.dumps(RUN))
    script = cli("up", "--dry-run").out
    assert "kubectl --context kind --kubeconfig /k -n shop apply" in script


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"engine": "moon"}', '{"engine": ["cluster"]}', "[" * 100_000,
     '{"engine": "cluster", "context": 5}', '{"engine": "cluster", "run": "local"}'],
    ids=lambda text: text[:40],
)  # fmt: skip
@pytest.mark.parametrize("changes", [True, False])
def test_a_broken_record_is_for_the_local_engine_which_says_what_is_wrong(
    tmp_path: Path, text: str, changes: bool
) -> None:
    (tmp_path / "run.json").write_text(text)
    environment = {"KUBECONFIG": "/k"}  # a cluster that is about is not what was recorded
    choice = choose_engine(Settings(state_dir=tmp_path), changes=changes, environment=environment)
    assert choice.engine == "local"
    with pytest.raises(EnvironmentFailed, match=r"run\.json"):
        open_engine(choice, say_nothing).pods()


@pytest.mark.parametrize("given", [{"context": "c"}, {"kubeconfig": "k"}], ids=str)
def test_local_with_a_cluster_is_a_usage_error(given: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        choose_engine(
            Settings(engine="local", **given),  # type: ignore[arg-type]  # only these fields
            changes=False,
            environment={},
        )


def test_an_unknown_engine_in_the_environment_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        choose_engine(
            Settings(state_dir=tmp_path), changes=False, environment={"MESHDEMO_ENGINE": "moon"}
        )


def test_a_cluster_that_no_kubeconfig_names_is_said_so(tmp_path: Path) -> None:
    missing = str(tmp_path / "no-such-file")
    settings = Settings(engine="cluster", kubeconfig=missing, state_dir=tmp_path)
    choice = choose_engine(settings, changes=False, environment={})
    with pytest.raises(EnvironmentFailed, match="no-such-file") as failure:
        _ = open_engine(choice, say_nothing).where
    assert "--kubeconfig" in failure.value.hint


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("current-context: kind-a\n", "kind-a"),
        ('{\n"current-context": "b",\n}', "b"),
        ("", ""),
        ("current-context: 'it''s \"mine\"'\n", 'it\'s "mine"'),
        ('current-context: "t\\xE4st"\n', "täst"),
        ("current-context: a b  # of the class\n", "a b"),
        ("current-context: arn:aws:eks:eu:1:cluster/x\n", "arn:aws:eks:eu:1:cluster/x"),
        ("current-context: ''\n", ""),
    ],
    ids=["YAML", "JSON", "none", "quotes", "escapes", "a comment", "colons", "empty"],
)
def test_the_current_context_is_found(tmp_path: Path, text: str, context: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    assert kubeconfig_about({"KUBECONFIG": f"/nowhere:{file}"}) == context


def test_an_engine_that_does_not_open_is_named_with_its_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_choice: Choice, _notify: Notify) -> Engine:
        raise EnvironmentFailed("no cluster")

    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setattr(cli, "open", refuse)
    ended = cli("verify")
    assert (ended.code, ended.err.splitlines()[0]) == (3, "engine cluster (KUBECONFIG)")


@pytest.mark.parametrize("argv", [("up", "--no-verify"), ("deploy",), ("down",)], ids=str)
def test_what_changes_something_stays_local_and_prints_the_line_for_the_cluster(
    argv: tuple[str, ...], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("current-context: kind-a\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    ended = cli(*argv)
    assert ended.code == 0
    assert cli.choice is not None
    assert cli.choice.engine == "local"
    typed = f"meshdemo {argv[0]} --state-dir {cli.state} --engine cluster --context kind-a\n"
    assert typed in ended.err


def test_a_local_engine_that_was_asked_for_says_nothing_of_clusters(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("current-context: kind-a\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert "kubeconfig" not in cli("deploy", "--engine", "local").err
