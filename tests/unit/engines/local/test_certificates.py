"""The files that tls names are looked at before anything is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import made
from tests.paths import ROOT

from meshdemo.engines.local import certificates

if TYPE_CHECKING:
    from pathlib import Path

PEM = ROOT / "tests" / "loopback.pem"
"""A certificate and its key."""


def problems(**tls: Any) -> list[str]:
    rule = made("DestinationRule", host="app", trafficPolicy={"tls": {"mode": "SIMPLE", **tls}})
    return [str(problem) for problem in certificates.problems([rule])]


def test_files_that_are_there_are_taken() -> None:
    pair = {"clientCertificate": str(PEM), "privateKey": str(PEM)}
    assert problems(mode="MUTUAL", caCertificates=str(PEM), **pair) == []
    assert problems(insecureSkipVerify=True) == []
    assert problems(mode="DISABLE", caCertificates="/nowhere") == []


@pytest.mark.parametrize(
    "text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"]
)
@pytest.mark.parametrize("field", ["caCertificates", "caCrl"])
def test_what_envoy_could_not_read_is_named(text: str, field: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text)
    found = problems(**{"caCertificates": str(PEM), field: str(file)})
    assert len(found) == 1
    assert f"tls.{field}: {file} holds none in PEM" in found[0]


@pytest.mark.parametrize("path", ["/nowhere/ca.pem", "tests/loopback.pem", "/", "/a\0b"])
def test_what_is_no_file_here_is_named(path: str) -> None:
    assert [text for text in problems(caCertificates=path) if "can be read here" in text]


def test_a_certificate_needs_its_own_key(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    pair = {"clientCertificate": str(PEM), "privateKey": str(key)}
    found = problems(mode="MUTUAL", caCertificates=str(PEM), **pair)
    assert len(found) == 1
    assert "tls.privateKey" in found[0]


def test_tls_of_ports_and_subsets_is_looked_at_too() -> None:
    tls = {"tls": {"mode": "SIMPLE", "caCertificates": "/nowhere"}}
    of_port = {"portLevelSettings": [{"port": {"number": 80}, **tls}]}
    subset = {"name": "v1", "trafficPolicy": of_port}
    rule = made("DestinationRule", host="app", trafficPolicy=of_port, subsets=[subset])
    assert len(list(certificates.problems([rule]))) == 2
