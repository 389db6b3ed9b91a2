"""Manifests are read whole or refused whole: files, folders, standard input, namespaces."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import SERVICE

from meshdemo.errors import InputError
from meshdemo.objects import reading

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


def problems_of(*sources: str, **options: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        reading.read(sources, **options)
    return [str(problem) for problem in caught.value.problems]


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
