"""What was asked for, as one frozen value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.engines.options import Injection, MeshOptions
from meshdemo.objects import reading
from meshdemo.objects.labels import INJECT_LABEL, REVISION_LABEL
from meshdemo.settings import Settings
from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough import bundled, client
from meshdemo.walkthrough.images import ImageChoice
from meshdemo.walkthrough.skipping import Skipping
from meshdemo.walkthrough.standing_in import StandIns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object

LOOK = 200
"""How many answers a demonstration counts: enough to see a half, and nothing is judged by it."""


class Plan(Struct, frozen=True):
    """A run of the walkthrough, or of the user's own objects in its place."""

    settings: Settings = field(default_factory=Settings)
    files: tuple[str, ...] = ()
    """The user's manifests; none means the walkthrough's own."""
    completes: bool = False
    """Whether the walkthrough's test client joins the user's objects where they have none."""
    injection: Injection | None = Injection.KUBE_INJECT
    """None means that nothing was said: the objects as they are."""
    mesh: MeshOptions = field(default_factory=MeshOptions)
    images: ImageChoice = field(default_factory=ImageChoice)
    """Images in place of those in the manifests."""
    skip: Skipping = field(default_factory=Skipping)
    """Kinds that are left out of the user's objects."""
    stand_ins: StandIns = field(default_factory=StandIns)
    """Images of the user's that the echo app stands in for."""
    strict: bool = False
    """Whether a warning keeps all from being applied."""
    verify: bool = True
    request: Request = field(default_factory=Request)
    """What is asked for."""
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

    def of_revision(self, engine: Engine) -> Plan:
        """Give the plan with the revision of Istio that was taken before, unless one is named."""
        revision = self.mesh.revision or engine.revision()
        return replace(self, mesh=replace(self.mesh, revision=revision))

    def read(
        self, engine: Engine, names: tuple[str, ...] = bundled.MANIFESTS
    ) -> tuple[Object, ...]:
        """Read the user's objects, or those of the walkthrough that ``names`` says."""
        return self._prepared(self._written(engine, names))

    def read_alone(
        self, admit: Callable[[Sequence[Object]], object] | None = None
    ) -> tuple[Object, ...]:
        """Read all objects without an engine, for what does not depend on where they go.

        If something is wrong with them, ``admit`` is asked what else is.
        """
        files = self.files if self.is_own else bundled.paths(bundled.MANIFESTS)
        space = self.settings.place or "default"
        explicit = self.is_own and self.settings.namespace is not None
        found = self._read(files, space, admit, explicit=explicit)
        return self._prepared(self._completed(found, space))

    def joined(self, objects: Sequence[Object]) -> Plan:
        """Give the plan with the test client's file among the user's, if it has joined them."""
        if not (self.is_own and client.has_joined(objects)):
            return self
        return replace(self, files=(*self.files, client.file()))

    def _written(self, engine: Engine, names: tuple[str, ...]) -> tuple[Object, ...]:
        if self.is_own:
            explicit = self.settings.namespace is not None
            admit = partial(engine.apply, dry_run=True)
            found = self._read(self.files, engine.where.namespace, admit, explicit=explicit)
            wanted = self.completes and client.may_join(engine)
            return self._completed(found, engine.where.namespace) if wanted else found
        objects = bundled.read(names, engine.where.namespace)
        return self._asking(objects)

    def _read(
        self,
        files: Sequence[str],
        namespace: str,
        admit: Callable[[Sequence[Object]], object] | None,
        *,
        explicit: bool,
    ) -> tuple[Object, ...]:
        """Read objects; if something is wrong with them, ``admit`` says what else is."""
        keeps = self.skip.keeps
        judge = admit and (lambda objects: admit(self.stand_ins.marked(objects)))
        return reading.read(files, namespace=namespace, explicit=explicit, keeps=keeps, admit=judge)

    def _prepared(self, objects: Sequence[Object]) -> tuple[Object, ...]:
        """Give the objects with the images that were chosen, or with stand-ins for them."""
        replaced = self.images.replaced(objects)
        own = client.others(replaced)
        self.stand_ins.require_known(own)
        marked = {item.key: item for item in self.stand_ins.marked(own)}
        return tuple(marked.get(item.key, item) for item in replaced)

    def _completed(self, objects: tuple[Object, ...], namespace: str) -> tuple[Object, ...]:
        """Give the user's objects with the test client that they lack."""
        if not (self.is_own and self.completes):
            return objects
        return (*objects, *self._asking(client.joining(objects, namespace)))

    def _asking(self, objects: tuple[Object, ...]) -> tuple[Object, ...]:
        """Have the walkthrough's pods ask for a sidecar, if it is Istio's webhook that gives them.

        By themselves they ask for none, and no namespace of the user's is labelled for them.
        """
        if self.injection is not Injection.AUTO:
            return objects
        return tuple(with_sidecar_label(item, self.mesh.revision) for item in objects)


def with_sidecar_label(item: Object, revision: str = "") -> Object:
    """Label the pods of a Deployment so that Istio's webhook gives them a sidecar."""
    if item.kind != "Deployment":
        return item
    metadata = item.pod_template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **sidecar_label(revision)}
    return item.with_pod_metadata({**metadata, "labels": labels})


def sidecar_label(revision: str = "") -> dict[str, str]:
    """Give the label that asks Istio's webhook for a sidecar.

    Only the default revision acts on the label that is about injection alone.
    """
    return {REVISION_LABEL: revision} if revision else {INJECT_LABEL: "true"}
