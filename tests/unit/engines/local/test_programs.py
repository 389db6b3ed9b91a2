"""What runs for a container."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.local import plan, programs
from meshdemo.objects import labels
from meshdemo.objects.model import Object


def template(*containers: dict[str, Any], command: str | None = None) -> dict[str, Any]:
    named = [{"name": f"c{index}", **item} for index, item in enumerate(containers)]
    annotations = {} if command is None else {labels.COMMAND: command}
    return {"metadata": {"annotations": annotations}, "spec": {"containers": named}}


def program(*containers: dict[str, Any], command: str | None = None) -> programs.Program:
    metadata = {"name": "pod", "namespace": "default"}
    made = template(*containers, command=command)
    made["metadata"] |= metadata
    blueprints = plan.blueprints([Object({"apiVersion": "v1", "kind": "Pod", **made})])
    (pod,) = plan.place(blueprints, (), lambda wanted: range(20_001, 20_001 + wanted))
    return programs.programs(pod, [], programs.Surroundings(), proxy=19_999, run="run")[0]


@pytest.mark.parametrize(
    ("image", "known"),
    [
        ("dustise/flaskapp", programs.FLASKAPP),
        ("docker.io/dustise/flaskapp:latest", programs.FLASKAPP),
        ("localhost:5000/mirror/meshdemo/echo:1.2", programs.ECHO),
        ("zze326/test-tools@sha256:0123", programs.IDLE),
        ("registry:5000/zze326/test-tools:v1@sha256:0123", programs.IDLE),
        ("notdustise/flaskapp", ""),
        ("dustise/flaskapp2", ""),
        ("nginx", ""),
        ("", ""),
    ],
)
def test_a_built_in_image_is_known_by_its_name_from_any_registry(image: str, known: str) -> None:
    assert programs.builtin(image) == known


@pytest.mark.parametrize(
    ("made", "field"),
    [
        pytest.param(template({"image": "nginx"}), "image", id="nothing-runs-it"),
        pytest.param(template({"image": "nginx"}, command=""), labels.COMMAND, id="empty"),
        pytest.param(template({"image": "nginx"}, command="a 'b"), labels.COMMAND, id="quotes"),
        pytest.param(
            template({"image": "nginx"}, {"image": "redis"}, command="a"), "image", id="two"
        ),
        pytest.param(template({"image": programs.ECHO, "args": ["x"]}), "args", id="own-arguments"),
        pytest.param(
            template({"image": programs.IDLE, "command": ["sh"]}), "command", id="not-idle"
        ),
    ],
)
def test_what_cannot_run_is_found_with_its_field(made: dict[str, Any], field: str) -> None:
    (finding,) = programs.problems_of(made)
    assert finding[0][-1] == field
    assert finding[2]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(template({"image": programs.IDLE, "command": ["init"]}), id="init"),
        pytest.param(template({"image": programs.IDLE, "command": ["sleep", "9"]}), id="sleep"),
        pytest.param(template({"image": programs.FLASKAPP}), id="flaskapp"),
        pytest.param(template({"image": "nginx"}, command="serve {port}"), id="annotated"),
        pytest.param(
            template({"image": programs.ECHO}, {"image": "nginx"}, command="x"), id="beside"
        ),
    ],
)
def test_what_can_run_has_no_problem(made: dict[str, Any]) -> None:
    assert list(programs.problems_of(made)) == []


def test_a_command_is_split_before_ports_are_put_in_and_never_seen_by_a_shell() -> None:
    ports = [{"containerPort": 8080, "name": "web"}, {"containerPort": 9090, "name": "admin"}]
    found = program(
        {"image": "x", "ports": ports}, command="serve --on={port} '{port:admin} $HOME' a;b"
    )
    assert found.argv == ("serve", "--on=20001", "20002 $HOME", "a;b")
    assert found.env["PORT"] == "20001"
    assert found.listens == (20_001, 20_002)
    assert found.annotated


def test_a_container_gets_its_environment_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    env = [
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)b $(LATER) $$(A)"},
        {"name": "MESHDEMO_RUN", "value": "none"},
    ]
    found = program({"image": programs.IDLE, "env": env}).env
    assert (found["A"], found["B"]) == ("a", "ab $(LATER) $(A)")
    assert found["http_proxy"] == "http://127.0.0.1:19999"
    assert found[programs.RUN_VARIABLE] == "run"
    assert "SECRET" not in found


@pytest.mark.parametrize("word", ["{port}", "{port:web}", "${HOME}", "{ x }", "{}", '{"a":1}'])
def test_only_what_looks_like_a_placeholder_is_taken_for_one(word: str) -> None:
    assert programs.unknown_placeholders(template({}, command=f"serve '{word}' {{prt}}")) == [
        "{prt}"
    ]
