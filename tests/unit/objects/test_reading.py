from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from meshdemo.errors import InputError, Problem
from meshdemo.objects import model, reading, shapes
from meshdemo.objects.model import Object

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: app
spec:
  ports:
  - name: http
    port: 80
"""


def parse(text: str) -> tuple[list[Object], list[Problem]]:
    problems: list[Problem] = []
    return reading.parse(text, "app.yaml", problems), problems


def spec(text: str) -> Any:
    """Give a value as it is read below ``spec.value``."""
    (item,), problems = parse(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n{text}")
    assert not problems
    return item.spec["value"]


def refused(text: str) -> list[str]:
    """Say what is wrong with a text, without what follows from it."""
    objects, problems = parse(text)
    return [str(p) for p in (*problems, *(p for item in objects for p in shapes.problems(item)))]


def write(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


HELM = "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name }} }\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(HELM, 3, id="a value"),
        pytest.param("{{- if .Values.on }}\n" + SERVICE + "{{- end }}\n", 1, id="a condition"),
        pytest.param(SERVICE + "metadata:\n  {{- include 'x' . }}\n", 10, id="an include"),
    ],
)
def test_a_template_is_called_that_and_nothing_else(tmp_path: Path, text: str, line: int) -> None:
    file = write(tmp_path, "t.yaml", text)
    (problem,) = problems_of(file)
    assert f"{file}:{line}: it is a template" in problem
    assert "helm template" in problem


def test_what_only_holds_the_text_of_a_template_is_none(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\ndata: {a: '{{ x }}'}\nmetadata: {name: {a: b}}\n"
    (problem,) = problems_of(write(tmp_path, "c.yaml", text))
    assert "template" not in problem


def test_items_of_a_list_of_a_kind_are_of_that_kind() -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualServiceList
metadata: {resourceVersion: "7"}
items:
- metadata: {name: a}
- {apiVersion: networking.istio.io/v1beta1, kind: VirtualService, metadata: {name: b}}
- 7
"""
    objects, (problem,) = parse(text)
    assert [(item.data["apiVersion"], item.kind, item.name) for item in objects] == [
        ("networking.istio.io/v1", "VirtualService", "a"),
        ("networking.istio.io/v1beta1", "VirtualService", "b"),
    ]
    assert "not a Kubernetes object" in str(problem)
    assert objects[0].line("metadata", "name") == 6


def problems_of(*sources: str, **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        reading.read(sources, **options)
    return [str(problem) for problem in caught.value.problems]


# --- where things stand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("kind",), 2),
        (("metadata", "name"), 4),
        (("spec", "ports", 0, "port"), 8),
        (("spec", "ports", 0, "targetPort"), 7),
        (("spec", "ports", 1), 6),
        (("spec", "selector", "app"), 5),
        (("status",), 1),
    ],
    ids=str,
)
def test_a_field_has_its_line_and_an_absent_one_that_of_what_is_around(
    path: tuple[str | int, ...], line: int
) -> None:
    (service,), _ = parse(SERVICE)
    assert service.line(*path) == line


def test_lines_count_from_the_top_of_the_file_in_later_documents() -> None:
    objects, _ = parse(f"{SERVICE}---\n{SERVICE}")
    assert [item.line("spec") for item in objects] == [5, 14]


def test_a_problem_names_file_line_object_and_field() -> None:
    (service,), _ = parse(SERVICE)
    problem = service.problem("too low", "spec", "ports", 0, "port", hint="use 80", code="X1")
    assert str(problem) == ("app.yaml:8: Service app spec.ports[0].port: too low [X1]; use 80")


def test_items_of_a_list_are_objects_with_their_own_lines() -> None:
    items = "".join("- " + SERVICE.replace("\n", "\n  ").rstrip() + "\n" for _ in range(2))
    objects, problems = parse(f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert not problems
    assert [item.line("spec", "ports") for item in objects] == [9, 17]


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("12:30", "12:30"),
        ("1e3", 1000),
        ("1.0", 1),
        (".5", 0.5),
        (".5_0", ".5_0"),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ("0x" + "f" * 5000, "0x" + "f" * 5000),
        ("18446744073709551615", 2**64 - 1),
        ("99999999999999999999999", 1e23),
        ("0x1f", 31),
        ("0o10", 8),
        ("010", 8),
        ("08", 8),
        ("0b", "0b"),
        ("-0b11", -3),
        ("1_000", 1000),
        ("=", "="),
        ("<<", "<<"),
        ("y", True),
        ("N", False),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        ('"80"', "80"),
        ("!!str 80", "80"),
        ("1.10", 1.1),
        ("1.2.3", "1.2.3"),
        ("-", [None]),
    ],
    ids=lambda value: str(value)[:24],
)
def test_scalars_are_read_as_kubectl_reads_them(text: str, value: object) -> None:
    read = spec(f"  value: {text}\n" if text != "-" else "  value:\n  -\n")
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("n", "false"),
        ("On", "true"),
        ("0x10", "16"),
        ("1.10", "1.1"),
        ("12:30", "12:30"),
        ('"y"', "y"),
        ("!!str y", "y"),
    ],
)
def test_keys_are_read_as_kubectl_reads_them(written: str, key: str) -> None:
    assert spec(f"  value: {{{written}: a}}\n") == {key: "a"}


def test_an_anchor_stands_for_what_it_names() -> None:
    assert spec("  x: &x {a: 1}\n  value: [*x, *x]\n") == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize("merge", ["<<: *x, b: 3", "b: 3, <<: *x"])
def test_a_merged_key_may_be_written_over(merge: str) -> None:
    assert spec(f"  x: &x {{a: 1, b: 2}}\n  value: {{{merge}}}\n") == {"a": 1, "b": 3}


Json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)  # beyond, a whole number is a float to Go and so to kubectl
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcxyz./-", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(Json)
def test_what_is_dumped_reads_back_the_same(value: object) -> None:
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"value": value}}
    (again,), problems = parse(reading.dump([Object(data)]))
    assert not problems
    assert again.data == data


@pytest.mark.parametrize(
    "text",
    ["y", "N", "on", "No", "1e3", "0o17", "0b1", "1_000", "12:30", "2020-01-01", "=", "~", ".inf"],
)
def test_a_text_that_a_reader_may_take_for_something_else_is_quoted(text: str) -> None:
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {text: text}}
    assert f"  '{text}': '{text}'\n" in reading.dump([Object(data)])


@pytest.mark.parametrize("escaped", [False, True])
@given(Json)
@example("💥 \\ud83d\\ude00 \\💥")
def test_json_is_read_as_json(escaped: bool, value: object) -> None:
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"value": value}}
    (again,), problems = parse(json.dumps(data, ensure_ascii=escaped))
    assert not problems
    assert again.data == data


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    objects, problems = parse(text)
    assert all(item.name and item.kind for item in objects)
    assert all(str(problem) for problem in problems)


@given(Json)
def test_no_document_breaks_the_reader(value: object) -> None:
    objects, problems = parse(yaml.safe_dump(value))
    assert objects or problems or value is None


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\nb: 2", "app.yaml:3: not YAML: "),
        ("a:\n\tb: 1", "app.yaml:2: not YAML: a tab cannot indent a line"),
        ("a:\n  b: 1\n  \tc: 2", "app.yaml:3: not YAML: a tab cannot indent a line"),
        ("a: \x00", "app.yaml: not YAML: "),
        ("a: *nowhere", "app.yaml:1: not YAML: "),
        ("a: &a [1, *a]", "app.yaml:1: a[1]: it contains itself"),
        ("a: &a {b: *a}", "app.yaml:1: a.b: it contains itself"),
        ("a: 1\nb: 2\na: 3", "app.yaml:3: a: duplicate key"),
        ("y: 1\ntrue: 2", "app.yaml:2: true: duplicate key"),
        ("~: 1", "app.yaml:1: a key must be a string"),
        ("? [a, b]\n: 1", "app.yaml:1: a key must be a string"),
        ("a: !secret b", "app.yaml:1: a: could not determine a constructor for the tag '!secret'"),
        ("a: .inf", "app.yaml:1: a: JSON has no value for .inf"),
        ("a: !!binary aGk=", "app.yaml:1: a: JSON has no value for aGk="),
        ("a: !!int b", "app.yaml:1: a: invalid literal"),
        ("- a", "app.yaml:1: not a Kubernetes object: a mapping is wanted"),
        ("hello", "app.yaml:1: not a Kubernetes object: a mapping is wanted"),
        ("[" * 200 + "]" * 200, "app.yaml:1: not YAML: more than 100 levels deep"),
        ("- " * 100_000, "app.yaml:1: not YAML: more than 100 levels deep"),
        ("[" * 100_000, "app.yaml:1: not YAML: more than 100 levels deep"),
    ],
    ids=lambda value: value[:24].rstrip(),
)
def test_what_is_not_plain_data_is_refused_with_its_line(text: str, said: str) -> None:
    assert refused(text)[0].startswith(said)


def test_aliases_of_aliases_do_not_eat_the_memory() -> None:
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (problem,) = refused("\n".join(["a0: &a0 lol", *lines]))
    assert "its aliases stand for more than 200,000 values" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\nmetadata: {name: a}", "Pod a apiVersion: it is missing, or no string"),
        ("apiVersion: v1\nmetadata: {name: a}", "a kind: it is missing, or no string"),
        ("apiVersion: v1\nkind: 7\nmetadata: {name: a}", "7 a kind: it is missing, or no string"),
        ("apiVersion: v1\nkind: Pod", "Pod metadata.name: it is missing, or no string"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: 7}",
            "Pod 7 metadata.name: it is missing, or no string",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1}}",
            'Pod a metadata.labels.version: text is wanted, not the number 1; write "1"',
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: n}}",
            (
                "Pod a metadata.labels.version: text is wanted, not the boolean false; "
                "put quotes around it: without them n, no, off and false are booleans"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1.10}}",
            (
                "Pod a metadata.labels.version: text is wanted, not the number 1.1; "
                "put quotes around it"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: }}",
            (
                "Pod a metadata.labels.version: text is wanted, not nothing (null); "
                'write "" for an empty one'
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: [x]}",
            "Pod a metadata.annotations: a mapping is wanted, not a list",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: [x]",
            "Pod a spec: a mapping is wanted, not a list",
        ),
    ],
    ids=lambda value: value.splitlines()[-1],
)
def test_what_every_object_has_is_checked(text: str, said: str) -> None:
    (problem,) = refused(text)
    assert problem.partition(": ")[2].replace("Pod ", "Pod ", 1).split() == said.split()


TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, labels: , annotations: ~}
spec:
  template:
"""


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ("hello", ""),
        ("{spec: hello}", ".spec"),
        ("{metadata: hello}", ".metadata"),
        ("{metadata: {labels: hello}}", ".metadata.labels"),
        ("{metadata: {annotations: {a: {}}}}", ".metadata.annotations.a"),
        ("{spec: {containers: hello}}", ".spec.containers"),
        ("{spec: {containers: [hello]}}", ".spec.containers[0]"),
        ("{spec: {containers: [~]}}", ".spec.containers[0]"),
        ("{spec: {initContainers: [{}, {image: 5}]}}", ".spec.initContainers[1].image"),
        ("{spec: {containers: [{ports: [hello]}]}}", ".spec.containers[0].ports[0]"),
        ("{spec: {containers: [{env: [{name: []}]}]}}", ".spec.containers[0].env[0].name"),
        ("{spec: {containers: [{command: [y]}]}}", ".spec.containers[0].command[0]"),
    ],
)
def test_what_describes_pods_has_their_shape(pods: str, said: str) -> None:
    (problem,) = refused(f"{TEMPLATE}    {pods}")
    assert problem.startswith(f"app.yaml:{6 if said else 5}: Deployment a spec.template{said}: ")
    (problem,) = refused(f"{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: a}}, "
                         f"spec: {{jobTemplate: {{spec: {{template: {pods}}}}}}}}}")  # fmt: skip
    assert f"CronJob a spec.jobTemplate.spec.template{said}: " in problem


@pytest.mark.parametrize("pods", ["", "{spec: , metadata: }", "{spec: {containers: [{env: }]}}"])
def test_what_is_null_has_any_shape(pods: str) -> None:
    assert refused(f"{TEMPLATE}    {pods}") == []


def test_a_problem_is_one_line_that_a_terminal_can_show() -> None:
    said = str(Problem(f"a\n\x1b[31m\ud800{'é' * 5000}", hint="b\0"))
    assert said.startswith(r"a\n\x1b[31m\ud800éé")
    assert said.endswith(r"éé; b\x00")
    assert len(said) < 500


def test_all_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    broken = write(tmp_path, "a.yaml", "a: [")
    nameless = write(tmp_path, "b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {}\n---\n- x\n")
    absent = str(tmp_path / "c.yaml")
    said = problems_of(broken, nameless, absent)
    assert [text.split(": ")[0] for text in said] == [
        f"{broken}:2",
        f"{nameless}:3",
        f"{nameless}:5",
        absent,
    ]


# --- namespaces --------------------------------------------------------------------------------


def in_namespace(name: str) -> str:
    return SERVICE.replace("name: app\n", f"name: app\n  namespace: {name}\n")


@pytest.mark.parametrize(
    ("text", "namespace", "explicit", "lives_in"),
    [
        (SERVICE, "default", False, "default"),
        (SERVICE, "shop", True, "shop"),
        (in_namespace("other"), "default", False, "other"),
        (in_namespace("shop"), "shop", True, "shop"),
        ("{apiVersion: v1, kind: Namespace, metadata: {name: x}}", "shop", True, ""),
    ],
    ids=["default", "-n", "its own", "its own and -n agree", "cluster-scoped"],
)
def test_an_object_lives_where_it_says_else_where_n_says(
    text: str, namespace: str, explicit: bool, lives_in: str, tmp_path: Path
) -> None:
    file = write(tmp_path, "a.yaml", text)
    (item,) = reading.read([file], namespace=namespace, explicit=explicit)
    assert item.namespace == lives_in


def test_n_contradicting_the_object_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yaml", in_namespace("other"))
    (said,) = problems_of(file, namespace="shop", explicit=True)
    assert said.startswith(f"{file}:5: Service other/app metadata.namespace: ")


def test_a_duplicate_object_is_refused_and_names_the_first(tmp_path: Path) -> None:
    first, second = (write(tmp_path, name, SERVICE) for name in ("a.yaml", "b.yaml"))
    (said,) = problems_of(first, second)
    assert said.startswith(f"{second}:1: Service default/app: ")
    assert f"{first}:1" in said


def test_the_same_name_in_two_namespaces_is_two_objects(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yaml", f"{SERVICE}---\n{in_namespace('other')}")
    assert [item.title for item in reading.read([file])] == [
        "Service default/app",
        "Service other/app",
    ]


# --- sources -----------------------------------------------------------------------------------


def test_a_folder_gives_its_manifests_by_name_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json"):
        write(tmp_path, name, SERVICE.replace("name: app", f"name: {name[0]}"))
    write(tmp_path, "notes.txt", "{")
    (tmp_path / "d.yaml").mkdir()
    assert [item.name for item in reading.read([str(tmp_path)])] == ["a", "b", "c"]


@pytest.mark.parametrize("content", ["", "---\n---\n# nothing\n"], ids=["empty", "comments"])
def test_a_file_without_objects_is_refused(content: str, tmp_path: Path) -> None:
    (said,) = problems_of(write(tmp_path, "a.yaml", content))
    assert said.endswith("no objects in it")


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    (said,) = problems_of(str(tmp_path))
    assert said == f"{tmp_path}: no .yaml, .yml, .json file in this folder"


@pytest.mark.parametrize(
    ("content", "said"),
    [(SERVICE.encode(), ""), (b"\xff\xfe\x00", "standard input: cannot be read: not UTF-8 text")],
    ids=["text", "binary"],
)
def test_a_dash_is_standard_input(
    content: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    if said:
        assert problems_of("-") == [said]
        return
    (item,) = reading.read(["-"])
    assert item.problem("no").file == "standard input"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert problems_of(str(file)) == [f"{file}: cannot be read: not UTF-8 text"]


# --- order -------------------------------------------------------------------------------------


def test_nothing_is_applied_before_what_it_refers_to() -> None:
    kinds = ["VirtualService", "Pod", "DestinationRule", "Deployment", "Service", "Namespace"]
    ordered = model.in_apply_order(Object({"kind": kind}) for kind in kinds)
    assert [item.kind for item in ordered] == [
        "Namespace",
        "Service",
        "Pod",
        "Deployment",
        "DestinationRule",
        "VirtualService",
    ]


def test_rules_are_the_traffic_rules() -> None:
    objects = [Object({"kind": kind}) for kind in ("Pod", "VirtualService", "DestinationRule")]
    assert [item.kind for item in model.traffic_rules(objects)] == [
        "VirtualService",
        "DestinationRule",
    ]


@pytest.mark.parametrize(
    ("api_version", "group"), [("v1", ""), ("apps/v1", "apps"), ("a.io/v1beta1", "a.io")]
)
def test_the_group_is_what_precedes_the_version(api_version: str, group: str) -> None:
    assert Object({"apiVersion": api_version}).group == group


def test_the_pod_template_of_a_pod_is_the_pod_itself() -> None:
    pod = Object({"kind": "Pod", "spec": {"x": 1}})
    deployment = Object({"kind": "Deployment", "spec": {"template": {"spec": {"x": 1}}}})
    assert pod.pod_template["spec"] == deployment.pod_template["spec"]


@pytest.mark.parametrize("kind", sorted(model.WORKLOAD_KINDS))
def test_the_pods_of_every_kind_can_be_described_anew_and_the_rest_stays(kind: str) -> None:
    spec: dict[str, Any] = {"template": {"spec": {"x": 1}}, "more": 2}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    item = Object({"kind": kind, "spec": spec, "more": 3})
    changed = item.with_pod_metadata({"name": "new"})
    assert changed.pod_template["metadata"] == {"name": "new"}
    assert changed.pod_template["spec"] == item.pod_template["spec"]
    assert changed.data["more"] == 3
    assert "metadata" not in item.pod_template


@pytest.mark.parametrize("spec", [{}, {"template": "x"}, {"template": None}], ids=str)
def test_what_describes_no_pods_has_an_empty_template(spec: dict[str, Any]) -> None:
    for kind in ("StatefulSet", "CronJob", "Service"):
        assert Object({"kind": kind, "spec": spec}).pod_template == {}
