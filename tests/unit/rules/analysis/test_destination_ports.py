"""A destination without a port is worth a word where requests come on a port that it lacks."""

from __future__ import annotations

import pytest
import yaml
from tests.objects import made, service

from meshdemo.rules.analysis.analyzer import warnings
from meshdemo.rules.analysis.inventory import Inventory

HTTP = {"name": "http", "port": 80}
THERE = [
    service(HTTP, name="one"),
    service(HTTP, {"name": "http-admin", "port": 8081}, name="two"),
    service(HTTP, {"name": "tcp-debug", "port": 7000}, name="three"),
    service({"name": "http", "port": 7000}, name="door"),
]
TO_TWO = "route: [{destination: {host: two}}]"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (f"{{hosts: [door], http: [{{{TO_TWO}}}]}}", "several ports (80, 8081)"),
        (f"{{hosts: [door], http: [{{{TO_TWO}}}]}}", "requests that come on 7000 get 503"),
        (f"{{hosts: [two], http: [{{{TO_TWO}}}]}}", ""),
        (f"{{hosts: [one], http: [{{{TO_TWO}}}]}}", ""),
        (f"{{hosts: [three], http: [{{{TO_TWO}}}]}}", ""),
        (f"{{hosts: [one, door], http: [{{{TO_TWO}}}]}}", "on 7000 get 503"),
        (f"{{hosts: [shop.example.org], http: [{{{TO_TWO}}}]}}", "on another port get 503"),
        (f"{{hosts: ['*.local'], http: [{{{TO_TWO}}}]}}", "on another port get 503"),
        (f"{{hosts: [two], gateways: [g], http: [{{{TO_TWO}}}]}}", "on another port get 503"),
        (f"{{hosts: [one, door], http: [{{match: [{{port: 80}}], {TO_TWO}}}]}}", ""),
        (f"{{hosts: [door], http: [{{match: [{{port: 80}}], {TO_TWO}}}]}}", ""),
        (
            "{hosts: [door], http: [{route: [{destination: {host: two, port: {number: 80}}}]}]}",
            "",
        ),
        (
            "{hosts: [door], http: [{route: [{destination: {host: one}}]}]}",
            "no other port than 80",
        ),
        (
            "{hosts: [two], http: [{route: [{destination: {host: one}}]}]}",
            "on 8081 get 503",
        ),
        ("{hosts: [shop.example.org], http: [{route: [{destination: {host: one}}]}]}", ""),
        (
            f"{{hosts: [two], http: [{{{TO_TWO}, mirror: {{host: door}}}}]}}",
            "80, 8081 are not copied",
        ),
    ],
)
def test_a_destination_without_a_port_is_named_where_requests_fail(spec: str, words: str) -> None:
    rule = made("VirtualService", "mine", **yaml.safe_load(spec))
    found = warnings([rule], Inventory.after([rule], THERE, "now"))
    assert len(found) == bool(words)
    if found:
        assert words in str(found[0])
        assert found[0].code == ("IST0112" if "several" in found[0].message else "")
