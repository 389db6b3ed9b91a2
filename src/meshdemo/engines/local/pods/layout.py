"""Where everything of a run is: names of processes, files and sockets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.local.envoy.config_files import Proxy
from meshdemo.engines.local.store import SCRATCH
from meshdemo.objects.containers import ISTIO_PROXY

if TYPE_CHECKING:
    from pathlib import Path

    from meshdemo.engines.local.model import PlannedPod

KUBE_PROXY = "kube-proxy"
ACCESS_LOG = "access.log"
LONGEST_FOLDER_NAME = 200
"""Characters of a folder's name: a Pod's name may have 253, a file's 255 with what we add."""


class Layout(Struct, frozen=True):
    """The folders of one run."""

    state: Path
    sockets: Path

    @property
    def pods(self) -> Path:
        """Give the folder that holds one folder for each pod."""
        return self.state / "pods"

    def pod(self, pod: PlannedPod) -> Path:
        """Give a pod's folder."""
        name = f"{pod.namespace}.{pod.name}"
        if len(name) > LONGEST_FOLDER_NAME:
            name = f"{name[:LONGEST_FOLDER_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        return self.pods / name

    def program(self, pod: PlannedPod, container: str) -> Path:
        """Give the file that says what a container runs."""
        return self.pod(pod) / f"{container}.exec"

    def log(self, pod: PlannedPod, container: str) -> Path:
        """Give the file that a container's output goes to."""
        return self.pod(pod) / f"{container}.log"

    def volume(self, pod: PlannedPod, name: str, *, scratch: bool) -> Path:
        """Give the folder of a volume; what is in a scratch one is the pod's own business."""
        return self.pod(pod) / (SCRATCH if scratch else "volumes") / name

    def access_log(self, pod: PlannedPod) -> Path:
        """Give the file that tells of each request that a pod's sidecar took."""
        return self.pod(pod) / ACCESS_LOG

    def sidecar(self, pod: PlannedPod) -> Proxy:
        """Give the Envoy beside a pod."""
        name = process_name(pod, ISTIO_PROXY)
        log = self.log(pod, ISTIO_PROXY)
        return Proxy(
            f"{pod.namespace}/{pod.name}", self.pod(pod) / "envoy", self._socket(name), log
        )

    def kube_proxy(self, namespace: str) -> Proxy:
        """Give the Envoy of a namespace's pods that have none of their own."""
        folder = self.state / KUBE_PROXY / namespace
        name = f"{KUBE_PROXY}.{namespace}"
        return Proxy(name, folder, self._socket(name), folder / f"{KUBE_PROXY}.log")

    def _socket(self, name: str) -> Path:
        # Short whatever the pod is called: the path of a socket has little room.
        return self.sockets / hashlib.sha256(name.encode()).hexdigest()[:10]


def process_name(pod: PlannedPod, container: str) -> str:
    """Name a container's process for the supervisor."""
    return f"{pod.namespace}.{pod.name}.{container}"
