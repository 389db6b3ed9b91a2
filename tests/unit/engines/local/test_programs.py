"""What runs for a container."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.local import images, plan, programs
from meshdemo.objects import labels
from meshdemo.objects.model import Object

TCP_ECHO: dict[str, Any] = {"image": "istio/tcp-echo-server:1.3", "args": ["9000,9001", "one"]}


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
        ("dustise/flaskapp", images.FLASKAPP),
        ("docker.io/dustise/flaskapp:latest", images.FLASKAPP),
        ("localhost:5000/mirror/meshdemo/echo:1.2", images.ECHO),
        ("zze326/test-tools@sha256:0123", images.IDLE),
        ("registry:5000/zze326/test-tools:v1@sha256:0123", images.IDLE),
        ("notdustise/flaskapp", ""),
        ("dustise/flaskapp2", ""),
        ("nginx", ""),
        ("", ""),
    ],
)
def test_a_built_in_image_is_known_by_its_name_from_any_registry(image: str, known: str) -> None:
    assert images.builtin(image) == known


@pytest.mark.parametrize(
    ("made", "field"),
    [
        pytest.param(template({"image": "nginx"}), "image", id="nothing-runs-it"),
        pytest.param(template({"image": "nginx"}, command=""), labels.COMMAND, id="empty"),
        pytest.param(template({"image": "nginx"}, command="a 'b"), labels.COMMAND, id="quotes"),
        pytest.param(
            template({"image": "nginx"}, {"image": "redis"}, command="a"), "image", id="two"
        ),
        pytest.param(template({"image": images.ECHO, "args": ["x"]}), "args", id="own-arguments"),
        pytest.param(template({**TCP_ECHO, "args": ["9000"]}), "args", id="no-word"),
        pytest.param(template({**TCP_ECHO, "args": ["0,1", "one"]}), "args", id="no-port"),
        pytest.param(template({**TCP_ECHO, "command": ["sh"]}), "args", id="own-command"),
        pytest.param(template({"image": images.IDLE, "command": ["sh"]}), "command", id="not-idle"),
    ],
)
def test_what_cannot_run_is_found_with_its_field(made: dict[str, Any], field: str) -> None:
    (finding,) = programs.problems_of(made)
    assert finding[0][-1] == field
    assert finding[2]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(template({"image": images.IDLE, "command": ["init"]}), id="init"),
        pytest.param(template({"image": images.IDLE, "command": ["sleep", "9"]}), id="sleep"),
        pytest.param(template({"image": images.FLASKAPP}), id="flaskapp"),
        pytest.param(template(TCP_ECHO), id="tcp-echo"),
        pytest.param(template({"image": "nginx"}, command="serve {port}"), id="annotated"),
        pytest.param(
            template({"image": images.ECHO}, {"image": "nginx"}, command="x"), id="beside"
        ),
    ],
)
def test_what_can_run_has_no_problem(made: dict[str, Any]) -> None:
    assert list(programs.problems_of(made)) == []


def test_tcp_echo_listens_and_answers_as_its_arguments_say() -> None:
    found = program(TCP_ECHO)
    assert found.env["MESHDEMO_LISTEN"] == "9000=127.0.0.1:20001,9001=127.0.0.1:20002"
    assert found.env["MESHDEMO_ECHO_NAME"] == "one"


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
    found = program({"image": images.IDLE, "env": env}).env
    assert (found["A"], found["B"]) == ("a", "ab $(LATER) $(A)")
    assert found["http_proxy"] == "http://127.0.0.1:19999"
    assert found[programs.RUN_VARIABLE] == "run"
    assert "SECRET" not in found


@pytest.mark.parametrize("word", ["{port}", "{port:web}", "${HOME}", "{ x }", "{}", '{"a":1}'])
def test_only_what_looks_like_a_placeholder_is_taken_for_one(word: str) -> None:
    assert programs.unknown_placeholders(template({}, command=f"serve '{word}' {{prt}}")) == [
        "{prt}"
    ]


def stood_in(*containers: dict[str, Any], images_: str = "all", **spec: Any) -> dict[str, Any]:
    made = template(*containers)
    made["metadata"]["annotations"] = {labels.STAND_IN: images_}
    made["spec"] |= spec
    return made


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (stood_in({"image": "nginx"}, {"image": "redis:7"}), ["nginx", "redis:7"]),
        (stood_in({"image": "nginx"}, {"image": "redis:7"}, images_="redis:7"), ["redis:7"]),
        (stood_in({"image": images.ECHO}), []),
        (stood_in({"image": images.ECHO, "args": ["x"]}), [images.ECHO]),
        (stood_in({"image": images.FLASKAPP}), []),
        (stood_in({"image": "curl", "command": ["/bin/sleep", "infinity"]}), []),
        (stood_in({"image": "curl", "command": ["sh", "-c", "sleep 3650d"]}), []),
        (stood_in({"image": "curl", "args": ["sleep", "9"]}), ["curl"]),
        (template({"image": "nginx"}), []),
    ],
)
def test_the_echo_app_stands_in_for_what_cannot_run_by_itself(
    made: dict[str, Any], names: list[str]
) -> None:
    assert images.names(made) == names
    foreign = [each["image"] for each in images.containers(made) if not images.runs_by_itself(each)]
    assert len(list(programs.problems_of(made))) == len(foreign) - len(names)


def test_the_users_command_goes_before_a_stand_in() -> None:
    made = stood_in({"image": "nginx"}, {"image": "redis"})
    made["metadata"]["annotations"][labels.COMMAND] = "serve"
    assert images.names(made) == ["redis"]
    assert not list(programs.problems_of(made))


def stand_in_programs(made: dict[str, Any], *targets: int | str, kind: str = "Pod") -> list[Any]:
    metadata = {"name": "pod", "namespace": "default", "labels": {"app": "pod"}}
    pod = {"apiVersion": "v1", "kind": kind, **made, "metadata": {**made["metadata"], **metadata}}
    if kind == "Job":
        pod = {"kind": kind, "metadata": metadata, "spec": {"template": made}}
    ports = [{"port": 80 + n, "targetPort": target} for n, target in enumerate(targets)]
    spec = {"selector": {"app": "pod"}, "ports": ports}
    service = Object({"kind": "Service", "metadata": {"namespace": "default"}, "spec": spec})
    blueprints = plan.blueprints([Object(pod), service])
    (planned,) = plan.place(blueprints, (), lambda wanted: range(1, 1 + wanted))
    numbers = {port.app: port.number for port in planned.ports}
    around = programs.Surroundings()
    found = programs.programs(planned, [service], around, proxy=9, run="run")
    return [sorted(numbers[port] for port in program.listens) for program in found]


WEB = {"image": "nginx", "ports": [{"containerPort": 8080, "name": "web"}, {"containerPort": 9}]}


def test_a_stand_in_listens_on_its_ports_and_where_services_lead_to() -> None:
    side = {"image": "side", "ports": [{"containerPort": 15, "protocol": "UDP"}]}
    assert stand_in_programs(stood_in(WEB, side), "web", 7000, 9) == [[9, 7000, 8080], []]
    assert stand_in_programs(stood_in(side), 7000) == [[7000]]
    assert stand_in_programs(stood_in(side)) == [[]]


def test_a_stand_in_of_what_comes_to_an_end_ends_unless_it_has_something_to_serve() -> None:
    never = {"restartPolicy": "Never"}
    assert stand_in_programs(stood_in(WEB, **never), 9) == [[9, 8080]]
    assert stand_in_programs(stood_in(WEB, **never), 9, kind="Job") == [[]]
    assert program_of(stood_in({"image": "nginx"}, **never)).argv[0].endswith("true")
    assert not program_of(stood_in({"image": "nginx"})).argv[0].endswith("true")


def program_of(made: dict[str, Any]) -> programs.Program:
    metadata = {**made["metadata"], "name": "pod", "namespace": "default"}
    blueprints = plan.blueprints([Object({"kind": "Pod", **made, "metadata": metadata})])
    (pod,) = plan.place(blueprints, (), lambda wanted: range(1, 1 + wanted))
    return programs.programs(pod, [], programs.Surroundings(), proxy=9, run="run")[0]
