"""tcp and tls rules that no connection gets to are named."""

from __future__ import annotations

import pytest
import yaml
from tests.objects import made, service

from meshdemo.rules.analysis.analyzer import warnings
from meshdemo.rules.analysis.inventory import Inventory

THERE = [
    service({"name": "tcp", "port": 9000}, name="lines"),
    service({"name": "https", "port": 443}, name="secure"),
    service({"name": "http", "port": 80}, name="web"),
    service({"port": 7000}, name="any"),
]
LINES = "route: [{destination: {host: lines}}]"
SNI = "sniHosts: [a.example]"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (f"{{hosts: [lines], tcp: [{{{LINES}}}]}}", ""),
        (f"{{hosts: [any], tcp: [{{{LINES}}}]}}", ""),
        (f"{{hosts: [web], tcp: [{{{LINES}}}]}}", "hold for no port of its hosts"),
        (f"{{hosts: [web], tcp: [{{{LINES}}}]}}", "80 (HTTP)"),
        (f"{{hosts: [secure], tcp: [{{{LINES}}}]}}", "443 (TLS)"),
        (f"{{hosts: [web, elsewhere.example], tcp: [{{{LINES}}}]}}", "hold for no port"),
        (f"{{hosts: [web, lines], tcp: [{{match: [{{port: 80}}], {LINES}}}]}}", "for port 80"),
        (f"{{hosts: [lines], tcp: [{{match: [{{port: 9001}}], {LINES}}}]}}", "for port 9001"),
        (f"{{hosts: ['*.local'], tcp: [{{match: [{{port: 9001}}], {LINES}}}]}}", ""),
        (f"{{hosts: [web], gateways: [edge], tcp: [{{{LINES}}}]}}", ""),
        (f"{{hosts: [lines], tcp: [{{{LINES}}}, {{{LINES}}}]}}", "rule #0 takes every one"),
        (f"{{hosts: [lines], tcp: [{{match: [{{port: 9000}}], {LINES}}}, {{{LINES}}}]}}", ""),
        (f"{{hosts: [lines], tls: [{{match: [{{{SNI}}}], {LINES}}}]}}", "if it is TLS"),
        (f"{{hosts: [secure, a.example], tls: [{{match: [{{{SNI}}}], {LINES}}}]}}", ""),
    ],
)
def test_rules_for_connections_that_none_gets_to_are_named(spec: str, words: str) -> None:
    rule = made("VirtualService", "mine", **yaml.safe_load(spec))
    found = [str(each) for each in warnings([rule], Inventory.after([rule], THERE, "now"))]
    assert len(found) == bool(words), found
    assert all(words in text for text in found)
