"""Which cluster and namespace the next command is for, if it names none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines import run_record
from meshdemo.engines.cluster import recorded_cluster
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


class Reached:
    """A cluster, as far as it is noted."""

    context = "kind"

    def __init__(self, *, in_cluster: bool = False) -> None:
        self.in_cluster = in_cluster


def noted(settings: Settings, kube: Any, *namespaces: str) -> dict[str, Any] | None:
    """Remember runs in these namespaces, and give what is noted of them."""
    for namespace in namespaces:
        recorded_cluster.remember(settings, kube, namespace)
    found = run_record.read(settings.state_dir)
    return {k: v for k, v in found.items() if k != "schema"} if found else None


def test_the_last_run_is_the_one_that_is_noted(tmp_path: Path) -> None:
    settings = Settings(kubeconfig="/k", state_dir=tmp_path / "state")
    assert noted(settings, Reached(), "one", "two") == {
        "engine": "cluster", "context": "kind", "kubeconfig": "/k", "namespace": "two",
    }  # fmt: skip


def test_only_the_end_of_that_run_is_forgotten(tmp_path: Path) -> None:
    settings, kube = Settings(kubeconfig="/k", state_dir=tmp_path / "state"), Reached()
    reached: Any = kube
    before = noted(settings, kube, "one", "two")
    recorded_cluster.forget(settings, reached, "one")
    assert noted(settings, kube) == before
    recorded_cluster.forget(settings, reached, "two")
    assert noted(settings, kube) is None


@pytest.mark.parametrize(
    ("files", "inside", "wanted"),
    [
        ("/a:/b", False, {"context": "kind"}),
        ("", False, {"context": "kind"}),
        ("/a", False, {"context": "kind", "kubeconfig": "/a"}),
        ("", True, {}),
    ],
    ids=["a list of files", "the usual file", "one file", "in a pod"],
)
def test_the_cluster_is_noted_as_far_as_it_has_a_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: str,
    inside: bool,
    wanted: dict[str, str],
) -> None:
    monkeypatch.setenv("KUBECONFIG", files)
    settings = Settings(state_dir=tmp_path / "state")
    found = noted(settings, Reached(in_cluster=inside), "shop")
    assert found == {"engine": "cluster", "namespace": "shop", **wanted}


def test_a_local_run_stays_noted(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"engine": "local"}')
    assert noted(Settings(state_dir=tmp_path), Reached(), "shop") == {"engine": "local"}
