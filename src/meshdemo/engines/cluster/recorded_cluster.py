"""Which cluster and namespace the last command changed, in the state directory: the next one need
not name them.

The cluster itself holds all else. A local run that is recorded there stays recorded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.settings import Settings

ENGINE = "cluster"


def remember(settings: Settings, kube: Kube, namespace: str) -> None:
    """Note the cluster and the namespace, unless a run of another engine is noted."""
    noted, wanted = _noted(settings), _entry(settings, kube, namespace)
    if noted == wanted or (noted is not None and noted.get("engine") != ENGINE):
        return
    with run_record.locked(settings.state_dir, "meshdemo apply", settings.timeout):
        run_record.write(settings.state_dir, wanted)


def forget(settings: Settings, kube: Kube, namespace: str) -> None:
    """Remove the note about this cluster and namespace; one about another stays."""
    if _noted(settings) == _entry(settings, kube, namespace):
        with run_record.locked(settings.state_dir, "meshdemo down", settings.timeout):
            run_record.remove(settings.state_dir)


def _entry(settings: Settings, kube: Kube, namespace: str) -> dict[str, str]:
    """Say how the cluster is reached: nothing is noted of a pod's own service account.

    Where KUBECONFIG lists several files, the context's name is noted, and the list is the user's.
    """
    if kube.in_cluster:
        return {"engine": ENGINE, "namespace": namespace}
    file = settings.kubeconfig or os.environ.get("KUBECONFIG", "")
    single = file and os.pathsep not in file
    kubeconfig = {"kubeconfig": str(Path(file).expanduser().absolute())} if single else {}
    return {"engine": ENGINE, "context": kube.context, **kubeconfig, "namespace": namespace}


def _noted(settings: Settings) -> dict[str, str] | None:
    try:
        found = run_record.read(settings.state_dir)
    except EnvironmentFailed:  # it cannot be read; whoever owns it says so
        return {}
    return None if found is None else {k: v for k, v in found.items() if k != "schema"}
