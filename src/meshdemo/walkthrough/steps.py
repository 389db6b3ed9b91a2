"""The steps in order, as data that the command line, ``--explain`` and ``--dry-run`` share.

Each step says in one sentence what it does, and as pure functions of the plan what a person
would type for it with istioctl and kubectl.
"""

from __future__ import annotations

import json
import shlex
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.options import Injection
from meshdemo.engines.results import ANSWERS_IN_A_ROW
from meshdemo.errors import InputError
from meshdemo.objects import reading, sources
from meshdemo.verdict.precision import DEFAULT_PRECISION
from meshdemo.walkthrough import bundled, client
from meshdemo.walkthrough.events import Started
from meshdemo.walkthrough.plan import sidecar_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.walkthrough.plan import Plan

    Commands = Callable[[Plan], tuple[str, ...]]

WORKLOAD_NAMES = ("app-v1", "app-v2", "testclient")
CLIENT_CONTAINER = "test-tools"
PROVING = DEFAULT_PRECISION.revealing
SPLIT_REQUESTS = 1_000
"""What a person would take for a split, who does not look in between."""


class Step(Struct, frozen=True):
    """One stage of the walkthrough."""

    name: str
    does: str
    commands: Commands
    manifests: tuple[str, ...] = ()

    def started(self, plan: Plan) -> Started:
        """Tell a watcher that it begins."""
        return Started(self.name, self.does, self.commands(plan))


def install_commands(plan: Plan) -> tuple[str, ...]:
    """Install Istio; the rest of the script needs nothing else of the cluster."""
    argv = ["istioctl", "install", "-y", *cluster_flags(plan), *plan.mesh.arguments]
    return (shlex.join([*argv, "--readiness-timeout", _duration(plan.settings.timeout)]),)


def inject_commands(plan: Plan) -> tuple[str, ...]:
    """Write the injected manifests beside the plain ones."""
    if plan.injection is Injection.NONE:
        return ()
    files = _files(plan, bundled.WORKLOAD_MANIFESTS)
    return tuple(
        f"{_reading(_injecting(plan, file), file)} > {shlex.quote(injected)}"
        for file, injected in zip(files, _injected(files), strict=True)
    )


def _injecting(plan: Plan, file: str) -> list[str]:
    """Give the command that injects a file."""
    if plan.injection is not Injection.AUTO:
        return ["istioctl", "kube-inject", *_flags(plan, istioctl=True)]
    if plan.is_own and file != client.file():
        return ["meshdemo", "inject", "--injection", "auto", *_flags(plan)]
    # The local engine writes the label for Istio's webhook, which the article's pods lack.
    namespace = plan.settings.place
    return ["meshdemo", "inject", "--engine", "local", *(["-n", namespace] if namespace else [])]


def deploy_commands(plan: Plan) -> tuple[str, ...]:
    """Apply what was injected, and wait."""
    files = _files(plan, bundled.WORKLOAD_MANIFESTS)
    if plan.injection not in (None, Injection.NONE):
        files = _injected(files)
    applied = (
        *_namespace_commands(plan),
        *(_kubectl(plan, "apply", "-f", file) for file in files),
    )
    timeout = f"--timeout={_duration(plan.settings.timeout)}"
    waits: tuple[str, ...] = (
        _kubectl(plan, "wait", "pod", "--all", "--for=condition=Ready", timeout),
    )
    if not plan.is_own:
        waits = tuple(
            _kubectl(plan, "rollout", "status", f"deployment/{w}", timeout) for w in WORKLOAD_NAMES
        )
    asks = plan.completes and (plan.verify or not plan.is_own)  # else nobody knows for what
    return (*applied, *waits, *((_answering(plan),) if asks else ()))


def _answering(plan: Plan) -> str:
    """Wait until the app answers several times in a row: that a pod is ready does not say so."""
    ask = shlex.join(["curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}"])
    until = f"end=$(($(date +%s)+{plan.settings.timeout:.0f})); n=0"
    again = 'n=0; [ "$(date +%s)" -lt "$end" ] || exit 1; sleep 1'
    url = shlex.quote(plan.request.url)
    case = f"case $({ask} {url}) in 000|50[234]) {again};; *) n=$((n+1));; esac"
    return _in_client(plan, f'{until}; while [ "$n" -lt {ANSWERS_IN_A_ROW} ]; do {case}; done')


def _reading(inject: Sequence[str], file: str) -> str:
    """Have manifests injected; istioctl itself fetches nothing."""
    if not sources.URL.match(file):
        return shlex.join([*inject, "-f", file])
    return f"{shlex.join(['curl', '-fsSL', file])} | {shlex.join([*inject, '-f', '-'])}"


def inject_files_commands(plan: Plan) -> tuple[str, ...]:
    """Write manifests with sidecars to standard output; a webhook injects only what is applied."""
    if plan.injection is Injection.AUTO:
        return ()
    inject = ["istioctl", "kube-inject", *_flags(plan, istioctl=True)]
    return tuple(_reading(inject, file) for file in _files(plan, ()))


def inject_deployed_commands(plan: Plan) -> tuple[str, ...]:
    """Give what is deployed its sidecars."""
    get = _kubectl(plan, "get", "deployment", "-o", "yaml")
    inject = shlex.join(["istioctl", "kube-inject", *_flags(plan, istioctl=True), "-f", "-"])
    return (f"{get} | {inject} | {_kubectl(plan, 'apply', '-f', '-')}",)


def labelled(plan: Plan, names: Sequence[str]) -> tuple[str, ...]:
    """Ask Istio's webhook for sidecars of these Deployments."""
    labels = sidecar_label(plan.mesh.revision)
    patch = json.dumps({"spec": {"template": {"metadata": {"labels": labels}}}})
    return tuple(_kubectl(plan, "patch", "deployment", name, "--patch", patch) for name in names)


def applied(plan: Plan, objects: Sequence[Object]) -> tuple[str, ...]:
    """Apply objects that are in no file."""
    return (f"{_kubectl(plan, 'apply', '-f', '-')} <<'EOF'\n{written(objects)}EOF",)


def written(objects: Sequence[Object]) -> str:
    """Write objects as a person would: without what servers and we add to them."""
    plain = []
    for item in objects:
        metadata = {"name": item.name, "namespace": item.namespace}
        plain.append(item.with_data({**item.data, "metadata": metadata}))
    return reading.dump(plain)


def applied_files(plan: Plan) -> tuple[str, ...]:
    """Apply the user's files, all at once."""
    files = (part for file in plan.files for part in ("-f", file))
    return (_kubectl(plan, "apply", *files),)


def deleted(plan: Plan, objects: Sequence[Object]) -> tuple[str, ...]:
    """Delete objects in this order."""
    return tuple(_kubectl(plan, "delete", item.kind.lower(), item.name) for item in objects)


def look_commands(plan: Plan) -> tuple[str, ...]:
    """Count who answers."""
    return (_loop(plan, plan.look),)


def rule_commands(*names: str) -> Commands:
    """Apply rules of the walkthrough by their files."""
    return lambda plan: tuple(_kubectl(plan, "apply", "-f", name) for name in names)


def verify_commands(plan: Plan) -> tuple[str, ...]:
    """Count who answers, often enough to prove it; ``proving`` says how often that is."""
    return (_loop(plan, plan.requests or PROVING),)


def proving(plan: Plan, expectation: Expectation) -> Plan:
    """Give the plan with as many requests as an expectation wants, where nothing else was said."""
    usual = PROVING if expectation.is_exact else SPLIT_REQUESTS
    return replace(plan, requests=plan.requests or usual)


INSTALL = Step("install", "Install Istio, and verify that it is there.", install_commands)
INJECT = Step(
    "inject",
    "Add a sidecar to each pod of the manifests.",
    inject_commands,
    bundled.WORKLOAD_MANIFESTS,
)
DEPLOY = Step(
    "deploy",
    "Deploy two versions of the app, and a test client.",
    deploy_commands,
    bundled.WORKLOAD_MANIFESTS,
)
BEFORE = Step("look", "Without rules the Service picks any pod: about 50/50.", look_commands)
SUBSETS = Step(
    "route",
    "Name the two versions as subsets, with a DestinationRule.",
    rule_commands(bundled.DESTINATION_RULE_MANIFEST),
    (bundled.DESTINATION_RULE_MANIFEST,),
)
STILL = Step("look", "Subsets alone change nothing: about 50/50.", look_commands)
ROUTE = Step(
    "route",
    "Send all traffic to v2, with a VirtualService.",
    rule_commands(bundled.VIRTUAL_SERVICE_MANIFEST),
    (bundled.VIRTUAL_SERVICE_MANIFEST,),
)
VERIFY = Step("verify", "Prove it: every answer must come from v2.", verify_commands)

WALKTHROUGH = (INSTALL, INJECT, DEPLOY, BEFORE, SUBSETS, STILL, ROUTE, VERIFY)

INJECT_DEPLOYED = Step("inject", "Add a sidecar to each deployed pod.", inject_deployed_commands)
INJECT_FILES = Step("inject", "Write manifests with sidecars.", inject_files_commands)
OWN_DEPLOY = Step("deploy", "Apply your objects.", deploy_commands)
OWN_ROUTE = Step("route", "Apply your rules.", rule_commands())
OWN_VERIFY = Step("verify", "Prove what the rules promise.", verify_commands)


def _namespace_commands(plan: Plan) -> tuple[str, ...]:
    """Create the namespace that was named, where it is not there."""
    if not (name := plan.settings.place):
        return ()
    kubectl = shlex.join(["kubectl", *cluster_flags(plan)])
    space = shlex.join(["namespace", name])
    return (f"{kubectl} get {space} || {kubectl} create {space}",)


def _files(plan: Plan, names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the files of a step: the user's, folders taken apart, or the walkthrough's."""
    if not plan.is_own:
        return names
    problems: list[Problem] = []
    files = tuple(sources.each(plan.files, problems))
    if problems:
        raise InputError("the manifests cannot be used", problems)
    return files


def _injected(files: Sequence[str]) -> tuple[str, ...]:
    """Name the injected files, in the current folder; no name comes twice, or is one of theirs."""
    taken = {str(Path(file)) for file in files}
    names: list[str] = []
    for file in files:
        stem = "" if file == "-" else f"{Path(file).stem}."
        numbered = (f"{stem}injected.{number}.yaml" for number in count(2))
        name = next(n for n in chain((f"{stem}injected.yaml",), numbered) if n not in taken)
        taken.add(name)
        names.append(name)
    return tuple(names)


def cluster_flags(plan: Plan) -> list[str]:
    """Give the flags that name the cluster, the same for istioctl and kubectl."""
    settings = plan.settings
    flags = ["--context", settings.context] if settings.context else []
    return [*flags, *(["--kubeconfig", settings.kubeconfig] if settings.kubeconfig else [])]


def _flags(plan: Plan, *, istioctl: bool = False) -> list[str]:
    namespace = plan.settings.place
    flag = "--namespace" if istioctl else "-n"
    flags = [*cluster_flags(plan), *([flag, namespace] if namespace else [])]
    if istioctl and plan.mesh.namespace:
        flags += ["--istioNamespace", plan.mesh.namespace]
    if istioctl and plan.mesh.revision:
        flags += ["--revision", plan.mesh.revision]
    return flags


def _kubectl(plan: Plan, *arguments: str) -> str:
    return shlex.join(["kubectl", *_flags(plan), *arguments])


def _loop(plan: Plan, count: int) -> str:
    request, curl = plan.request, ["curl", "-s"]
    curl += ["-X", request.method] if request.method != "GET" else []
    for name, value in request.headers:
        curl += ["-H", f"{name}: {value}"]
    call = shlex.join([*curl, request.url])
    loop = f"for i in $(seq {count}); do {call}; echo; done | sort | uniq -c"
    return _in_client(plan, loop)


def _in_client(plan: Plan, script: str) -> str:
    if labels := plan.settings.sender:
        pods = _kubectl(plan, "get", "pod", "-l", labels, "-o", "name")
        run = shlex.join(["--", "sh", "-c", script])
        return f'{_kubectl(plan, "exec")} "$({pods} | head -n 1)" {run}'
    where = ("deploy/testclient", "-c", CLIENT_CONTAINER)
    return _kubectl(plan, "exec", *where, "--", "sh", "-c", script)


def _duration(seconds: float) -> str:
    return f"{seconds:g}s"
