"""YAML and JSON as kubectl reads them: where things stand, what they mean, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tests.objects import SERVICE, manifest, parse

from meshdemo.objects import reading
from meshdemo.objects.model import Object


def spec(text: str) -> Any:
    """Give a value as it is read below ``spec.value``."""
    (item,), problems = parse(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n{text}")
    assert not problems
    return item.spec["value"]


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
    data = manifest("Pod", value=value)
    (again,), problems = parse(reading.dump([Object(data)]))
    assert not problems
    assert again.data == data


@pytest.mark.parametrize(
    "text",
    ["y", "N", "on", "No", "1e3", "0o17", "0b1", "1_000", "12:30", "2020-01-01", "=", "~", ".inf"],
)
def test_a_text_that_a_reader_may_take_for_something_else_is_quoted(text: str) -> None:
    data = {**manifest("Pod"), "spec": {text: text}}
    assert f"  '{text}': '{text}'\n" in reading.dump([Object(data)])


@pytest.mark.parametrize("escaped", [False, True])
@given(Json)
@example("💥 \\ud83d\\ude00 \\💥")
def test_json_is_read_as_json(escaped: bool, value: object) -> None:
    data = manifest("Pod", value=value)
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
    _, problems = parse(text)
    assert str(problems[0]).startswith(said)


def test_aliases_of_aliases_do_not_eat_the_memory() -> None:
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    _, (problem,) = parse("\n".join(["a0: &a0 lol", *lines]))
    assert "its aliases stand for more than 200,000 values" in str(problem)
