"""Rules judged without sending anything: what is refused, warned of, or rejected by Envoy.

Three judges, each about what the one before lets pass: Istio's admission (and Kubernetes'), the
analysis that ``istioctl analyze`` makes, and a real Envoy that is shown what the rules become.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.local import admission, fields
from meshdemo.engines.local.envoy import binary, validation
from meshdemo.engines.local.fields import other_kinds
from meshdemo.engines.local.store import now
from meshdemo.errors import EnvironmentFailed, InputError, Problem, in_order
from meshdemo.objects import reading, repository
from meshdemo.objects.kinds import NETWORKING_GROUP
from meshdemo.objects.place import top
from meshdemo.objects.sources import STDIN, name_of
from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.inventory import Inventory
from meshdemo.rules.hosts import MESH, gateway_in_full

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.local.admission import Judged
    from meshdemo.objects.model import Object

ERROR, WARNING = "error", "warning"
INPUT, KUBERNETES, ISTIO, ENVOY = "input", "kubernetes", "istio", "envoy"
SCHEMA = "IST0106"
"""The code of ``istioctl analyze`` for what Istio's own validation refuses."""
GATEWAY = "Gateway"
LAST_HOLDS = "the last one holds; where they are of different environments, lint each by itself"


class Finding(Struct, frozen=True):
    """One thing that somebody has against one place."""

    problem: Problem
    by: str
    """Who refuses or warns: the input cannot be read, or kubernetes, istio, envoy."""
    severity: str = ERROR


@dataclass
class Linted:
    """What was looked at, and what was found."""

    findings: list[Finding] = field(default_factory=list)
    """As they stand in the files."""
    notes: list[str] = field(default_factory=list)
    objects: int = 0
    files: int = 0
    envoy: str = ""
    """The version of the Envoy that was asked; empty if none was."""

    @property
    def errors(self) -> int:
        """How many things are refused or rejected."""
        return sum(finding.severity == ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many things are accepted, and probably not meant."""
        return len(self.findings) - self.errors


def lint(sources: Sequence[str], namespace: str) -> Linted:
    """Judge all objects of files and folders; those that name no namespace are in ``namespace``."""
    found = repository.read(sources, namespace)
    _refuse_nothing(sources, found)
    known = [item for item in found.objects if not other_kinds.is_elsewhere(item)]
    judged = [admission.judge(item) for item in known]
    result = Linted(objects=len(known), files=found.files)
    findings = [Finding(problem, INPUT) for problem in found.problems]
    for each in judged:
        findings += [Finding(_coded(problem), _owner(each.item)) for problem in each.refused]
        findings += [Finding(problem, ENVOY) for problem in each.rejected]
    # Of two objects of one name the last one holds, as when they are applied.
    accepted = list({each.item.key: each.item for each in judged if not each.refused}.values())
    twice = (replace(problem, hint=LAST_HOLDS) for problem in reading.duplicates(found.objects))
    findings += [Finding(problem, INPUT, WARNING) for problem in twice]
    warnings = _analysed(accepted, found.objects)
    findings += [Finding(problem, ISTIO, WARNING) for problem in warnings]
    findings += _asked(judged, result)
    result.findings = _sorted(findings, found.objects)
    result.notes = [*_left_out(found), *result.notes]
    return result


def _refuse_nothing(sources: Sequence[str], found: repository.Repository) -> None:
    """Refuse a folder, or a pipe, in which there is nothing to judge: it may be the wrong one.

    A file that is named may be any file of a commit.
    """
    if found.objects or found.problems or found.other_kinds or found.templates or found.patches:
        return
    if places := [each for each in sources if each == STDIN or Path(each).is_dir()]:
        hint = "Name files or folders with Kubernetes' objects, as in meshdemo lint rules/"
        raise InputError(f"there are no objects in {', '.join(map(name_of, places))}", hint=hint)


def _coded(problem: Problem) -> Problem:
    of_istio = problem.subject.partition(" ")[0] in _OF_ISTIO
    return replace(problem, code=problem.code or SCHEMA) if of_istio else problem


_OF_ISTIO = frozenset(k for k, each in fields.TABLE.items() if NETWORKING_GROUP in each.versions[0])


def _owner(item: Object) -> str:
    return ISTIO if item.group == NETWORKING_GROUP else KUBERNETES


def _analysed(accepted: Sequence[Object], every: Sequence[Object]) -> Iterator[Problem]:
    """Warn as ``istioctl analyze`` does of files alone: all that rules name is in the files."""
    yield from analyzer.warnings(accepted, Inventory.after(accepted, (), now()))
    gateways = {f"{item.namespace}/{item.name}" for item in every if item.kind == GATEWAY}
    for item in accepted:
        for gateway in top(item)["spec"]["gateways"].items if item.kind == "VirtualService" else ():
            full = gateway_in_full(gateway.text, item.namespace)
            if gateway.text != MESH and full not in gateways:
                message = f'there is no gateway "{gateway.text}"'
                yield gateway.problem(message, "its rules act nowhere", analyzer.NOT_FOUND)


def _asked(judged: Sequence[Judged], result: Linted) -> Iterator[Finding]:
    """Show an Envoy what the rules become that nobody has refused yet."""
    sound = [each for each in judged if not each.refused and not each.rejected]
    units = [unit for each in sound for unit in validation.units(each.item)]
    if not units:
        return
    try:
        envoy = binary.find()
        yield from [Finding(problem, ENVOY) for problem in validation.rejected(envoy, units)]
    except EnvironmentFailed as error:
        result.notes.append(f"no Envoy was asked: {error.message}")
        return
    result.envoy = envoy.version
    rules = [each for each in sound if each.item.kind in _OF_ISTIO]
    if unseen := dict.fromkeys(f"{p.subject} {p.field}" for e in rules for p in e.unseen):
        result.notes.append(f"no Envoy was asked about {', '.join(unseen)}")


def _sorted(findings: Sequence[Finding], objects: Sequence[Object]) -> list[Finding]:
    """Put findings as they stand in the files, each of them once; first what is of no object."""
    by_problem = {finding.problem: finding for finding in reversed(findings)}
    files = {file: number for number, file in enumerate(dict.fromkeys(o.file for o in objects))}
    found = [by_problem[problem] for problem in in_order(each.problem for each in findings)]
    return sorted(found, key=lambda each: files.get(each.problem.file, -1))


def _left_out(found: repository.Repository) -> Iterator[str]:
    """Say once what was not judged."""
    kinds = Counter(found.other_kinds)
    kinds.update(item.kind for item in found.objects if other_kinds.is_elsewhere(item))
    if kinds:
        named = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
        yield f"left out, for lint does not judge these kinds: {named}"
    for files, what, whole in (
        (found.templates, "templates", "helm template . | meshdemo lint -"),
        (found.patches, "patches", "kubectl kustomize . | meshdemo lint -"),
    ):
        if files:
            yield f"left out as {what}: {', '.join(files)}; pipe the whole objects: {whole}"
