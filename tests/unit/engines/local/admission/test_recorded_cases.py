"""Admission against the recorded verdicts of real istiod: tests/fidelity/cases."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.paths import RECORDED_CASES

from meshdemo.engines.local.admission import Admission, admit
from meshdemo.objects import reading

if TYPE_CHECKING:
    from pathlib import Path


@cache
def cases(verdict: str) -> list[Any]:
    found = []
    for path in sorted(RECORDED_CASES.glob("*.yaml")):
        recorded = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
        if recorded["verdict"] == verdict:
            found.append(pytest.param(path, id=path.stem))
    return found


def read(path: Path) -> dict[str, Any]:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(case, dict)
    return case


def admitted(path: Path) -> Admission:
    return admit(reading.parse(read(path)["manifests"], "case.yaml", []), [])


@pytest.mark.parametrize("path", cases("rejected"))
def test_what_istio_refuses_is_refused_and_named(path: Path) -> None:
    case = read(path)
    problems = admitted(path).problems
    said = "\n".join(map(str, problems)).lower()
    assert [word for word in case["rejected_for"] if word.lower() not in said] == []
    # The refusal says more than that a field is not supported.
    assert [item for item in problems if "does not support" not in item.message]


@pytest.mark.parametrize("path", cases("accepted"))
def test_what_istio_accepts_is_refused_only_for_what_is_not_supported(path: Path) -> None:
    found = admitted(path)
    assert [str(i) for i in found.problems if "does not support" not in i.message] == []
    # A case has no field without effect, but for one that says which rule is the older one.
    assert [note for note in found.notes if "metadata.creationTimestamp" not in note] == []


def test_most_of_the_accepted_cases_are_admitted() -> None:
    accepted = [param.values[0] for param in cases("accepted")]
    admissible = [path for path in accepted if not admitted(path).problems]
    assert len(admissible) >= 68  # the others are written for fields that are not supported yet


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing-subset", "IST0101"),
        ("missing-destination-rule", "IST0101"),
        ("unknown-destination-host", "IST0101"),
        ("wrong-destination-port", "IST0101"),
        ("gateways-without-mesh", "IST0101"),
        ("subset-without-pods", "IST0173"),
        ("catch-all-first", "IST0130"),
    ],
)
def test_a_rule_that_is_probably_not_meant_gets_a_warning_with_its_line(
    name: str, code: str
) -> None:
    warnings = admitted(RECORDED_CASES / f"{name}.yaml").warnings
    assert [item.code for item in warnings] == [code]
    assert all(item.line > 1 and item.file == "case.yaml" for item in warnings)
