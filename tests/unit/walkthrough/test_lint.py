"""Whatever is in the files, lint says what is wrong with them, and soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests import bad_input
from tests.objects import made

from meshdemo.errors import InputError
from meshdemo.objects import reading
from meshdemo.walkthrough import lint

if TYPE_CHECKING:
    from pathlib import Path

CASES = [bad_input.numbered(12, number) for number in (*range(20), 50, 95)]
"""In the last two a kind is a mapping."""


@pytest.mark.parametrize("case", CASES, ids=[each.name.partition(":")[0] for each in CASES])
def test_it_has_an_answer_to_every_input(case: bad_input.Case, tmp_path: Path) -> None:
    case.write(tmp_path / "input.yaml")
    try:
        found = lint.lint([str(tmp_path)], "default")
    except InputError:  # there are no objects in it
        return
    assert not [note for note in found.notes if note.startswith("no Envoy was asked: ")]
    assert all(each.problem.file for each in found.findings)


@pytest.mark.parametrize("text", ["---\n" * 20_000, "{" * 50_000, "-" * 80_000, "\t" * 80_000])
def test_what_is_no_object_is_left_at_once(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.json").write_text(
        '{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a"}}'
    )
    assert lint.lint([str(tmp_path)], "default").objects == 1


def test_a_thousand_rules_are_shown_to_one_envoy(tmp_path: Path) -> None:
    http = [{"route": [{"destination": {"host": "app"}}]}]
    rules = [
        made("VirtualService", f"a{n}", hosts=[f"a{n}.example.com"], http=http) for n in range(1000)
    ]
    (tmp_path / "rules.yaml").write_text(reading.dump(rules))
    found = lint.lint([str(tmp_path)], "default")
    assert found.envoy
    assert {each.by for each in found.findings} == {lint.ISTIO}


def test_what_only_the_local_engine_does_not_take_is_not_called_refused_by_istio(
    tmp_path: Path,
) -> None:
    http = [
        {"match": [{"uri": {"prefix": f"/{n}/"}}], "directResponse": {"status": 200}}
        for n in range(1200)
    ]
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    socket = {"address": "unix:///var/run/a.sock"}
    entry = made(
        "ServiceEntry",
        "b",
        hosts=["a.example"],
        resolution="STATIC",
        ports=[port],
        endpoints=[socket],
    )
    rules = [made("VirtualService", "a", hosts=["a"], http=http), entry]
    (tmp_path / "rules.yaml").write_text(reading.dump(rules))
    found = lint.lint([str(tmp_path)], "default")
    assert found.findings == []
    (unasked,) = found.notes
    assert "ServiceEntry shop/b spec.endpoints[0].address" in unasked
