"""The files that a DestinationRule's tls names: on this machine, where its Envoys read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.objects.place import top
from meshdemo.rules.traffic_policies import ORIGINATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.objects.place import Place

SYSTEM_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
)
"""Where systems keep the authorities that they trust, in the order in which Istio looks."""
NAMED = ("caCertificates", "caCrl", "clientCertificate", "privateKey")
HINT = "give the absolute path of a file in PEM on this machine, or use a cluster: --engine cluster"


def system_roots() -> str:
    """Give the file of the authorities that this system trusts; empty if there is none."""
    return next((path for path in SYSTEM_ROOTS if Path(path).is_file()), "")


def problems(objects: Iterable[Object]) -> Iterator[Problem]:
    """Name each file that Envoy could not use."""
    for item in objects:
        if item.kind == "DestinationRule":
            spec = top(item)["spec"]
            for part in (spec, *spec["subsets"].items):
                policy = part["trafficPolicy"]
                for settings in (policy, *policy["portLevelSettings"].items):
                    yield from _tls_problems(settings["tls"])


def _tls_problems(tls: Place) -> Iterator[Problem]:
    if tls["mode"].text not in ORIGINATES:
        return
    missing = [name for name in NAMED if tls[name].text and not _is_readable(tls[name].text)]
    for name in missing:
        message = f'"{tls[name].text}" is no file that can be read here'
        yield tls[name].problem(message, HINT)
    verifies = tls["insecureSkipVerify"].value is not True
    if verifies and not tls["caCertificates"].text and not system_roots():
        yield tls["caCertificates"].problem("it is missing, and this system has no authorities")
    if not missing:
        yield from _content_problems(tls)


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return Path(path).is_absolute()
    except (OSError, ValueError):
        return False


def _content_problems(tls: Place) -> Iterator[Problem]:
    """Try the files as Envoy will: what it could not load would leave the cluster out."""
    import ssl  # noqa: PLC0415 - only who originates TLS pays for it

    for name in ("caCertificates", "caCrl"):
        if tls[name].text:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(tls[name].text)
            except ssl.SSLError as error:
                yield tls[name].problem(f"{tls[name].text} holds none in PEM: {error.reason}", HINT)
    if tls["mode"].text == "MUTUAL":
        chain, key = tls["clientCertificate"].text, tls["privateKey"].text
        try:
            # Whoever asks for a passphrase gets none: Envoy knows none either.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(chain, key, password=lambda: "")
        except (ssl.SSLError, ValueError) as error:
            message = f"{chain} and {key} are no certificate in PEM and its key: {error}"
            yield tls["privateKey"].problem(message, HINT)
