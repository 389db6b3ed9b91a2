"""Names of hosts: which service a rule means, and which name fits best."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import objects as make

from meshdemo.rules import hosts, virtual_services
from meshdemo.rules.client_view import Client, ClientView
from meshdemo.rules.services import Service
from meshdemo.rules.virtual_services import VirtualService

LABEL = st.sampled_from(["a", "b", "app"])
NAME = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
HOST = st.one_of(NAME, NAME.map(lambda name: f"*.{name}"), st.just("*"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("app", "app.shop.svc.cluster.local"),
        ("app.shop", "app.shop"),
        ("app.default.svc.cluster.local", "app.default.svc.cluster.local"),
        ("*.example.com", "*.example.com"),
        ("*", "*"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_name_without_a_dot_is_a_service_beside_the_rule(written: str, meant: str) -> None:
    assert hosts.resolve(written, "shop") == meant


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("foo.com", "foo.com", True),
        ("foo.com", "bar.com", False),
        ("*.com", "foo.com", True),
        ("*.foo.com", "foo.com", False),
        ("*", "foo.com", True),
        ("*.com", "*.foo.com", True),
        ("*.bar.com", "*.foo.com", False),
    ],
)
def test_wildcards_overlap_with_what_ends_alike(one: str, other: str, expected: bool) -> None:
    assert hosts.overlap(one, other) is expected
    assert hosts.overlap(other, one) is expected


@given(HOST)
def test_every_host_overlaps_with_itself_and_with_all(host: str) -> None:
    assert hosts.overlap(host, host)
    assert hosts.overlap(host, "*")


@given(NAME, st.lists(HOST))
def test_the_most_specific_name_is_one_that_fits_and_no_other_is_longer(
    host: str, names: list[str]
) -> None:
    found = hosts.most_specific(host, names)
    fitting = [name for name in names if hosts.overlap(name, host)]
    if found is None:
        assert not fitting
    elif found != host:
        assert host not in names
        assert len(found) == max(map(len, fitting))


@given(st.lists(HOST), st.lists(st.lists(HOST)))
def test_the_index_finds_what_overlaps_in_its_order(
    asked: list[str], known: list[list[str]]
) -> None:
    index = hosts.HostIndex((names, place) for place, names in enumerate(known))
    expected = [
        place
        for place, names in enumerate(known)
        if any(hosts.overlap(name, host) for name in names for host in asked)
    ]
    assert index.overlapping(*asked) == expected


def test_only_a_client_beside_the_service_may_use_its_bare_name() -> None:
    service = Service("app", "shop", (), {}, frozenset({"*"}))
    assert "app" in service.aliases("shop")
    assert "app" not in service.aliases("default")


def test_only_port_80_may_be_left_out() -> None:
    ports = [{"port": 80, "name": "http"}, {"port": 8080, "name": "http-alt"}]
    view = ClientView.of([make.service(*ports)], Client("shop", {}, injected=True))
    known = view.domains
    for called, port, found in [("app", 80, 80), ("APP", 80, 80), ("app", 8080, 8080)]:
        host = known.search(called, port)
        assert host
        assert host.port == found
    missing = known.search("app", 81)
    assert missing
    assert not missing.port
    assert known.search("web", 80) is None


def test_the_full_name_of_a_service_is_no_short_name_of_another_one() -> None:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    entry = make.made("ServiceEntry", hosts=["app.shop"], ports=ports, resolution="DNS")
    own = make.service({"port": 80, "name": "http"}, {"port": 81, "name": "http-b"})
    view = ClientView.of([own, entry, make.virtual_service(make.route(make.to()))],
                         Client("shop", {}, injected=True))  # fmt: skip
    known = view.domains
    for called, port, title in [
        ("app", 80, "Service shop/app"),
        ("app.shop", 80, "ServiceEntry shop/app"),
        ("app.shop", 81, "Service shop/app"),
    ]:
        found = known.search(called, port)
        assert found
        assert found.service
        assert found.service.title == title


def test_a_rule_in_capitals_governs_the_service_on_each_of_its_ports() -> None:
    rule = make.virtual_service(make.route(make.to()), hosts=["APP.shop.svc.cluster.local"])
    own = make.service({"port": 80, "name": "http"}, {"port": 8080, "name": "http-b"})
    view = ClientView.of([own, rule], Client("shop", {}, injected=True))
    known = view.domains
    for port in (80, 8080):
        found = known.search("app", port)
        assert found
        assert found.rule


def _rule(name: str, host: str) -> VirtualService:
    return VirtualService(name, "default", (host,), (), frozenset({"*"}))


def test_a_name_in_capitals_is_the_service_but_yields_to_a_wildcard() -> None:
    service = Service("app", "default", (), {}, frozenset({"*"}))
    shouted = _rule("shouted", "APP.default.svc.cluster.local")
    wildcard = _rule("wildcard", "*.default.svc.cluster.local")
    known = {service.host: service}

    index = virtual_services.index_by_service([shouted, wildcard], [service])

    assert index == {service.host: wildcard.key}
    for rule in (shouted, wildcard):
        assert virtual_services.divide_hosts(rule, known, index) == ([], [service])
