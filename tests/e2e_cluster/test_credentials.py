"""Who is not known to the cluster is told so, and takes nothing for a missing right."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e_cluster.conftest import Cluster


@pytest.fixture
def stranger(cluster: Cluster, tmp_path: Path) -> str:
    """A kubeconfig with a token that nobody gave out."""
    file = tmp_path / "kubeconfig"
    view = ["kubectl", "config", "view", "--raw", "--minify", "--context", cluster.context]
    edit = f"kubectl --kubeconfig {shlex.quote(str(file))} config"
    for script in (
        f"{shlex.join(view)} > {shlex.quote(str(file))}",
        f"{edit} set-credentials stranger --token=wrong",
        f"{edit} set-context --current --user=stranger",
    ):
        assert cluster.sh(script).code == 0
    return str(file)


@pytest.mark.parametrize("command", ["doctor", "install", "status", "down"])
def test_a_token_that_is_not_accepted_ends_every_command(
    command: str, cluster: Cluster, stranger: str
) -> None:
    ended = cluster.sh(shlex.join(["meshdemo", command, "--kubeconfig", stranger]))
    assert ended.code == 3
    said = ended.out + ended.err
    assert "does not accept your credentials (user stranger of context" in said
    assert f"kubectl auth whoami --context {cluster.context}" in said
    assert "not allowed" not in said
