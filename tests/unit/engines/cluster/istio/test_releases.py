from __future__ import annotations

import pytest

from meshdemo.engines.cluster.istio.releases import (
    NEWEST,
    OLDEST,
    PINNED,
    SUPPORTED_KUBERNETES,
    Release,
    can_be_fetched,
    newest_for,
    release_of,
)


@pytest.mark.parametrize(
    ("version", "minor"),
    [("1.10.1", 10), ("v1.28.3", 28), ("1.32-alpha.eed52ebb66ad", 32), ("1.9.0-distroless", 9)],
)
def test_a_version_names_its_release(version: str, minor: int) -> None:
    assert release_of(version) == Release(minor)


@pytest.mark.parametrize("version", ["", "unknown", "2.0.0", "latest"])
def test_what_is_not_a_version_names_none(version: str) -> None:
    assert release_of(version) is None


@pytest.mark.parametrize(("minor", "has"), [(10, True), (20, True), (23, True), (24, False)])
def test_verify_install_ended_with_1_23(minor: int, has: bool) -> None:
    assert Release(minor).has_verify_install is has


@pytest.mark.parametrize(("minor", "first"), [(10, "x"), (14, "x"), (15, "uninstall")])
def test_uninstall_was_experimental_before_1_15(minor: int, first: str) -> None:
    assert Release(minor).uninstall[0] == first


def test_the_table_knows_every_release_and_its_ranges_never_go_back() -> None:
    assert list(SUPPORTED_KUBERNETES) == list(range(OLDEST, NEWEST + 1))
    ranges = list(SUPPORTED_KUBERNETES.values())
    assert ranges == sorted(ranges)
    assert all(first < last for first, last in ranges)


@pytest.mark.parametrize(("minor", "like"), [(8, OLDEST), (40, NEWEST)])
def test_beyond_the_table_the_nearest_release_counts(minor: int, like: int) -> None:
    assert Release(minor).kubernetes == Release(like).kubernetes
    assert not Release(minor).known


def test_the_pinned_release_is_in_the_table() -> None:
    release = release_of(PINNED)
    assert release
    assert release.known


@pytest.mark.parametrize(
    ("version", "published"),
    [("1.30.3", True), ("1.31.0-rc.0", True), ("1.32-alpha.eed52ebb66ad", False), ("", False),
     ("1.24.3-asm.1", False), ("1.30", False)],
)  # fmt: skip
def test_only_what_istio_publishes_can_be_fetched(version: str, published: bool) -> None:
    assert can_be_fetched(version) is published


def test_the_newest_release_for_a_kubernetes_is_one_that_is_out() -> None:
    assert newest_for(36) == Release(31)
    assert newest_for(21) == Release(14)
    assert newest_for(99) is None
