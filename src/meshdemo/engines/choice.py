"""Which engine a command is for, and why: nobody's cluster is changed by a guess.

--engine                                   the user said so
--context, --kubeconfig                    a cluster was named
MESHDEMO_ENGINE, MESHDEMO_CONTEXT          the same in the environment
run.json in the state directory            the run that is there
KUBECONFIG, a pod's service account        only for a command that changes no object
otherwise                                  local
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines import run_record
from meshdemo.engines.protocol import CLUSTER, ENGINES, LOCAL
from meshdemo.errors import EnvironmentFailed, UsageError
from meshdemo.settings import KUBECONFIG, expand, state_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.protocol import Engine, Notify
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.settings import Settings

NO_CLUSTER_NAMED = "nothing names a cluster"
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class Choice(Struct, frozen=True):
    """The engine that a command is for, and the reason in words for the user."""

    engine: str
    why: str
    settings: Settings
    """The user's settings, with what environment or recorded run add to find the mesh."""
    may_begin: bool = False
    """Whether the command may begin a run, so that what that needs is begun at once."""

    def with_current_context(self) -> Settings:
        """Name the kubeconfig's current context, for commands that are run later, elsewhere."""
        settings = self.settings
        if self.engine == LOCAL or settings.context or settings.kubeconfig:
            return settings
        return replace(settings, context=kubeconfig_about() or None)


def choose_engine(
    settings: Settings, *, changes: bool, environment: Mapping[str, str] = os.environ
) -> Choice:
    """Choose by the rules above; ``changes`` says whether the command changes any object."""
    return replace(_chosen(settings, environment, changes=changes), may_begin=changes)


def _chosen(settings: Settings, environment: Mapping[str, str], *, changes: bool) -> Choice:
    if settings.engine not in (None, *ENGINES):
        raise UsageError(
            f"there is no engine {settings.engine}", hint=f"One of {', '.join(ENGINES)}."
        )
    named = "--context" if settings.context else "--kubeconfig" if settings.kubeconfig else ""
    if settings.engine == LOCAL and named:
        hint = f"Leave out {named}, or say --engine cluster."
        raise UsageError(f"--engine local has no cluster, so {named} makes no sense", hint=hint)
    if settings.engine:
        return _choice(settings.engine, "--engine", settings, environment)
    if named:
        return _choice(CLUSTER, named, settings, environment)
    return (
        _from_environment(settings, environment)
        or _from_recorded_run(settings)
        or _detected(settings, environment, changes=changes)
        or Choice(LOCAL, NO_CLUSTER_NAMED, settings)
    )


def open_engine(choice: Choice, notify: Notify) -> Engine:
    """Import the engine, only now, and open it."""
    if choice.engine == LOCAL:
        return _open_local(choice, notify)
    from meshdemo.engines.cluster import ClusterEngine  # noqa: PLC0415 - late, it takes time

    return ClusterEngine(choice.settings, notify, _rule_problems)


def _open_local(choice: Choice, notify: Notify) -> Engine:
    """Open the local engine. What a run needs that is to begin is begun while it is imported."""
    from meshdemo.engines.local.envoy.binary import Search  # noqa: PLC0415 - late, it takes time

    search, spare = Search(), None
    folder = Path(os.path.realpath(state_place(choice.settings.state_dir)))
    if choice.may_begin and not run_record.is_there(folder):
        search.begin()
        from meshdemo.engines.local.processes.spare import Spare  # noqa: PLC0415 - the same

        spare = Spare(folder)
    from meshdemo.engines.local.engine import LocalEngine  # noqa: PLC0415 - the same

    return LocalEngine(choice.settings, notify, search, spare)


def _rule_problems(objects: Sequence[Object]) -> tuple[Problem, ...]:
    """Judge rules by our own tables, which are the local engine's: it has no Istio to ask."""
    from meshdemo.engines.local.admission import istio_problems  # noqa: PLC0415 - few come so far

    return istio_problems(objects)


def kubeconfig_about(environment: Mapping[str, str] = os.environ) -> str:
    """Give the current context of a kubeconfig that kubectl would use; empty if there is none."""
    for path in filter(None, (environment.get("KUBECONFIG") or KUBECONFIG).split(os.pathsep)):
        try:
            text = expand(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, EnvironmentFailed):
            continue
        for line in text.splitlines():  # a whole YAML parser for one scalar would cost 20 ms
            key, _, value = line.partition(":")
            if key in ("current-context", '"current-context"') and (name := _scalar(value)):
                return name
    return ""


def _scalar(text: str) -> str:
    """Read one value of YAML, or of JSON; with the parser only where it has quotes or comments."""
    plain = text.strip().rstrip(",")
    if not any(mark in plain for mark in "\"'#"):
        return plain
    import yaml  # noqa: PLC0415 - see above

    try:
        return str(yaml.safe_load(plain) or "")
    except yaml.YAMLError:
        return ""


def _choice(engine: str, why: str, settings: Settings, environment: Mapping[str, str]) -> Choice:
    """Complete a cluster that was named by half: its context may stand in the environment."""
    context = environment.get("MESHDEMO_CONTEXT")
    if engine == CLUSTER and context and not (settings.context or settings.kubeconfig):
        return Choice(engine, f"{why}, MESHDEMO_CONTEXT", replace(settings, context=context))
    return Choice(engine, why, settings)


def _from_environment(settings: Settings, environment: Mapping[str, str]) -> Choice | None:
    engine = environment.get("MESHDEMO_ENGINE")
    if engine and engine not in ENGINES:
        hint = f"One of {', '.join(ENGINES)}."
        raise UsageError(f"MESHDEMO_ENGINE says {engine}, and there is no such engine", hint=hint)
    if engine:
        return _choice(engine, "MESHDEMO_ENGINE", settings, environment)
    if context := environment.get("MESHDEMO_CONTEXT"):
        return Choice(CLUSTER, "MESHDEMO_CONTEXT", replace(settings, context=context))
    return None


def _from_recorded_run(settings: Settings) -> Choice | None:
    why = f"the run recorded in {settings.state_dir}"
    try:
        run = run_record.read(state_place(settings.state_dir))
    except run_record.Damaged:  # the local engine says what is wrong with it, and takes it down
        return Choice(LOCAL, why, settings)
    except EnvironmentFailed:  # so does whoever needs it
        return None
    if run is None:
        return None
    noted = {name: run[name] for name in run_record.PLACE if run.get(name)}
    if run["engine"] == CLUSTER:
        namespace = noted.pop("namespace", None)
        settings = replace(settings, **noted, recorded_namespace=namespace)
    return Choice(run["engine"], why, settings)


def _detected(
    settings: Settings, environment: Mapping[str, str], *, changes: bool
) -> Choice | None:
    """Take the cluster that is about; what is typed next has to name it, for it may change it."""
    # A cluster that the user did not name is never changed.
    if changes:
        return None
    settings = replace(settings, engine=CLUSTER)
    if environment.get("KUBECONFIG"):
        return Choice(CLUSTER, "KUBECONFIG", settings)
    # Each pod has the variable, but not each has a token: automountServiceAccountToken may be off.
    if environment.get("KUBERNETES_SERVICE_HOST") and SERVICE_ACCOUNT_TOKEN.exists():
        return Choice(CLUSTER, "this pod's service account", settings)
    return None
