"""Which names are valid: each function gives what is wrong with one, or nothing.

Sources: Kubernetes' documents on object names and labels; Istio's pkg/config/labels and
pkg/config/validation, which are laxer (they allow capitals).
"""

from __future__ import annotations

import ipaddress
import re
import sys

from meshdemo.settings import is_namespace

_ISTIO_LABEL = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL = re.compile(_ISTIO_LABEL)
_WILDCARD = re.compile(rf"\*|(?:\*-?)?{_ISTIO_LABEL}")
_KEY = re.compile(rf"(?:({_ISTIO_LABEL}(?:\.{_ISTIO_LABEL})*)/)?({_QUALIFIED})")
_VALUE = re.compile(rf"(?:{_QUALIFIED})?")
_DNS_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_PORT_NAME = re.compile(r"(?!.*--)(?=.*[a-z])[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_HEADER = re.compile(r"[!#$%&'*+,\-.^_`|~A-Za-z0-9]+")  # Istio takes a comma, HTTP does not

LONGEST_LABEL = 63
LONGEST_DOMAIN_NAME = 253
LONGEST_ISTIO_VALUE = sys.maxsize
"""A rule may ask for the value of a label that no pod can have."""
LONGEST_HOST = 255
LONGEST_PORT_NAME = 15
LOWER = "lower-case letters, digits and '-', with a letter or digit at both ends"


def is_istio_label(name: str) -> bool:
    """Tell whether it is one part of a domain name, as Istio sees it."""
    return len(name) <= LONGEST_LABEL and bool(_LABEL.fullmatch(name))


def dns_label(name: str) -> str:
    """Judge the name of a namespace, a container or a Service's port."""
    if is_namespace(name):  # what is a name for a namespace is one for the others
        return ""
    return f'"{name}" is not a valid name: at most {LONGEST_LABEL} {LOWER}'


def dns_1035(name: str) -> str:
    """Judge the name of a Service."""
    if len(name) <= LONGEST_LABEL and _DNS_1035.fullmatch(name):
        return ""
    return f'"{name}" is not a valid name: at most {LONGEST_LABEL} {LOWER}, and a letter first'


def subdomain(name: str) -> str:
    """Judge the name of most objects."""
    if len(name) <= LONGEST_DOMAIN_NAME and _SUBDOMAIN.fullmatch(name):
        return ""
    return f'"{name}" is not a valid name: {LOWER}, parts separated by dots'


def path_segment(name: str) -> str:
    """Judge the name of a kind that takes whatever can stand in a path."""
    if name in (".", "..") or "/" in name or "%" in name:
        return f'"{name}" is not a valid name: it cannot stand in a path'
    return ""


def port_name(name: str) -> str:
    """Judge the name of a container's port."""
    if len(name) <= LONGEST_PORT_NAME and _PORT_NAME.fullmatch(name):
        return ""
    rule = f'at most {LONGEST_PORT_NAME} {LOWER}, one letter, no "--"'
    return f'"{name}" is not a valid port name: {rule}'


def label_key(key: str) -> str:
    """Judge the key of a label or an annotation."""
    found = _KEY.fullmatch(key)
    if found and len(found[1] or "") <= LONGEST_DOMAIN_NAME and len(found[2]) <= LONGEST_LABEL:
        return ""
    return f'"{key}" is not a valid label key'


def label_value(value: str, longest: int) -> str:
    """Judge the value of a label."""
    if len(value) <= longest and _VALUE.fullmatch(value):
        return ""
    return f'"{value}" is not a valid label value'


def env_name(name: str) -> str:
    """Judge the name of an environment variable."""
    if name and "=" not in name and name.isascii() and name.isprintable():
        return ""
    return f'"{name}" is not a valid name for an environment variable'


def header(name: str) -> str:
    """Judge the name of a header."""
    if not name:
        return "the name of a header cannot be empty"
    return "" if _HEADER.fullmatch(name) else f'"{name}" is not a valid name for a header'


def domain(name: str) -> str:
    """Judge a host without wildcards."""
    return _length(name) or _labels(name, name)


def wildcard_domain(name: str) -> str:
    """Judge a host whose first label may be, or begin with, a ``*``."""
    if wrong := _length(name):
        return wrong
    first, dot, rest = name.partition(".")
    if len(first) > LONGEST_LABEL or not _WILDCARD.fullmatch(first):
        return f'the host "{name}" is not a valid domain name: "{first}" is not a valid label'
    return _labels(rest, name) if dot else ""


def is_address(name: str) -> bool:
    """Tell whether it is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_subnet(name: str) -> bool:
    """Tell whether it is an IP address, or a range of them as ``10.0.0.0/8``."""
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
    return True


def _length(name: str) -> str:
    if not name:
        return "the host is empty"
    if len(name) > LONGEST_HOST:
        return f'the host "{name}" is longer than {LONGEST_HOST} characters'
    return ""


def _labels(name: str, whole: str) -> str:
    labels = name.split(".")
    if re.fullmatch(r"[-+]?[0-9]+", labels[-1]):
        why = f'its last label "{labels[-1]}" is a number'
        return f'the host "{whole}" is not a valid domain name: {why}'
    if not labels[-1]:  # the dot at the end of a fully qualified name
        labels.pop()
    for label in labels:
        if not is_istio_label(label):
            return f'the host "{whole}" is not a valid domain name: "{label}" is not a valid label'
    return ""
