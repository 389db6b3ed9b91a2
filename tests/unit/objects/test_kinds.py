"""kubectl's names of kinds."""

from __future__ import annotations

import pytest

from meshdemo.engines.local import fields
from meshdemo.errors import UsageError
from meshdemo.objects import kinds
from meshdemo.objects.model import Object


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("po", "Pod"), ("pod", "Pod"), ("Pods", "Pod"), ("svc", "Service"),
        ("deploy", "Deployment"), ("deployments.apps", "Deployment"),
        ("deployment.v1.apps", "Deployment"), ("vs", "VirtualService"),
        ("virtualservice.networking.istio.io", "VirtualService"), ("dr", "DestinationRule"),
        ("ns", "Namespace"), ("sa", "ServiceAccount"), ("gateways", "Gateway"),
        ("ingresses.networking.k8s.io", "Ingress"),
    ],
)  # fmt: skip
def test_a_kind_has_kubectls_names(word: str, name: str) -> None:
    assert [kind.name for kind in kinds.read(word)] == [name]


def test_no_word_means_two_kinds() -> None:
    for kind in kinds.KINDS:
        for word in (kind.plural, kind.name, *kind.short):
            assert [each.name for each in kinds.KINDS if each.is_called(word)] == [kind.name]
        assert kinds.read(kind.singular) == kinds.read(kind.resource) == (kind,)


def test_several_kinds_and_categories_each_once() -> None:
    assert [kind.name for kind in kinds.read("vs,po,pods")] == ["VirtualService", "Pod"]
    every = [kind.name for kind in kinds.read("all")]
    assert {"Pod", "Service", "Deployment", "StatefulSet", "Job"} <= {*every}
    assert len(every) == len({*every})


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("pdo", "pods"), ("virtualservics", "virtualservices"), ("moon", "There are"),
        ("pods,", "There are"), ("", "There are"), ("deployments.networking.istio.io", ""),
        ("ing", "The local engine has"),
    ],
)  # fmt: skip
def test_an_unknown_kind_is_a_usage_error_with_a_hint(words: str, hint: str) -> None:
    with pytest.raises(UsageError, match="there is no resource type") as error:
        kinds.read(words, kinds.LOCAL)
    assert hint in error.value.hint


def test_the_local_engine_has_the_kinds_of_its_table() -> None:
    known = {kind.name: kind for kind in kinds.LOCAL}
    assert fields.TABLE.keys() <= known.keys()
    for name, table in fields.TABLE.items():
        assert known[name].api_version in table.versions


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_taken_by_the_local_engine_if_it_is_said_to_be(kind: kinds.Kind) -> None:
    data = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "a"}}
    assert fields.is_known(Object(data)) == kind.local
