"""What an engine is asked for: which sidecars, and which Istio."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Injection(str, Enum):
    """Which workloads get a sidecar."""

    KUBE_INJECT = "kube-inject"
    """Every workload, but for the label ``sidecar.istio.io/inject: "false"``."""
    AUTO = "auto"
    """Those that Istio's webhook would choose, by the labels of namespace and pod."""
    NONE = "none"
    """None; a sidecar that is there is taken out."""


class Download(Struct, frozen=True):
    """Which istioctl to fetch, and from where."""

    version: str = ""
    """Empty means the one that this version of meshdemo was made with."""
    base_url: str = ""
    """A mirror of Istio's releases; empty means their official place."""
    sha256: str = ""
    """The archive's checksum, where the user knows it."""


class MeshOptions(Struct, frozen=True):
    """What ``istioctl install`` is asked for."""

    profile: str = ""
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    revision: str = ""
    """Empty means Istio's default one."""
    namespace: str = ""
    """Where istiod lives; empty means istio-system."""
    force: bool = False
    """Change an Istio that is already installed."""
    download: Download | None = None
    """Which istioctl to fetch first; None means that one must be there."""

    @property
    def arguments(self) -> list[str]:
        """Which Istio is meant, as ``istioctl install`` and ``manifest generate`` are told."""
        given = ["--set", f"profile={self.profile}"] if self.profile else []
        for setting in self.settings:
            given += ["--set", setting]
        for file in self.files:
            given += ["-f", file]
        if self.revision:
            given += ["--revision", self.revision]
        if self.namespace:
            given += ["--set", f"values.global.istioNamespace={self.namespace}"]
        return given
