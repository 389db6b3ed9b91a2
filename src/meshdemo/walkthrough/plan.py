"""What was asked for, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo import manifests
from meshdemo.engines import INJECT_LABEL, Injection, MeshOptions
from meshdemo.settings import Settings
from meshdemo.walkthrough import bundled
from meshdemo.walkthrough.images import ImageChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines import Engine
    from meshdemo.manifests import Object

REVISION_LABEL = "istio.io/rev"
LOOK = 200
"""How many answers a demonstration counts: enough to see a half, and nothing is judged by it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run of the walkthrough, or of the user's own objects in its place."""

    settings: Settings = field(default_factory=Settings)
    files: tuple[str, ...] = ()
    """The user's manifests; none means the walkthrough's own."""
    injection: Injection | None = Injection.KUBE_INJECT
    """None means that nothing was said: the objects as they are."""
    mesh: MeshOptions = field(default_factory=MeshOptions)
    images: ImageChoice = field(default_factory=ImageChoice)
    """Images in place of those in the manifests."""
    verify: bool = True
    requests: int | None = None
    """None means as many as each purpose wants."""
    wait: float = 10.0
    """Seconds that rules may take to reach the test client before the measurement."""

    @property
    def is_own(self) -> bool:
        """Tell whether it is about the user's own objects."""
        return bool(self.files)

    @property
    def look(self) -> int:
        """How many requests a demonstration sends."""
        return self.requests or LOOK

    def read(self, engine: Engine, names: tuple[str, ...] = bundled.NAMES) -> tuple[Object, ...]:
        """Read the user's objects, or those of the walkthrough that ``names`` says."""
        return self.images.replaced(self._written(engine, names))

    def read_alone(self) -> tuple[Object, ...]:
        """Read all objects without an engine, for what does not depend on where they go."""
        files = self.files if self.is_own else bundled.paths(bundled.NAMES)
        return self.images.replaced(manifests.read(files, namespace="default"))

    def _written(self, engine: Engine, names: tuple[str, ...]) -> tuple[Object, ...]:
        if self.is_own:
            explicit = self.settings.namespace is not None
            return read_files(engine, self.files, explicit=explicit)
        objects = manifests.read(bundled.paths(names), namespace=engine.where.namespace)
        if self.injection is not Injection.AUTO:
            return objects
        # By themselves the article's pods ask for no sidecar, and no namespace of the user's is
        # labelled for them.
        return tuple(with_sidecar_label(item, self.mesh.revision) for item in objects)


def read_files(engine: Engine, files: Sequence[str], *, explicit: bool) -> tuple[Object, ...]:
    """Read the user's objects; if something is wrong with them, say all that the engine knows."""
    return manifests.read(
        files,
        namespace=engine.where.namespace,
        explicit=explicit,
        admit=lambda objects: engine.apply(objects, dry_run=True),
    )


def with_sidecar_label(item: Object, revision: str = "") -> Object:
    """Label the pods of a Deployment so that Istio's webhook gives them a sidecar."""
    if item.kind != "Deployment":
        return item
    metadata = item.pod_template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **sidecar_label(revision)}
    return item.with_pod_metadata({**metadata, "labels": labels})


def sidecar_label(revision: str = "") -> dict[str, str]:
    """Give the label that asks Istio's webhook for a sidecar.

    Only the default revision heeds the label that is about injection alone.
    """
    return {REVISION_LABEL: revision} if revision else {INJECT_LABEL: "true"}
