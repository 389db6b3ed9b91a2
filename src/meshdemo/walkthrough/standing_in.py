"""Images of the user's that the echo app stands in for on the local engine: ``--stand-in``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import InputError, UsageError
from meshdemo.objects.image_names import is_called
from meshdemo.objects.labels import STAND_IN, STAND_IN_FOR_ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.objects.model import Object


class StandIns(Struct, frozen=True):
    """Which images have a stand-in, wherever they cannot run by themselves."""

    words: tuple[str, ...] = ()
    """Names of images, of whatever registry and version; ``all`` means all of them."""

    def refuse_without_files(self, files: Sequence[str]) -> None:
        """Refuse stand-ins for the walkthrough's own images, which are built in."""
        if self.words and not files:
            message = "--stand-in is about your files: the walkthrough's own images are built in"
            raise UsageError(message, hint="As in: -f FILE --stand-in")

    def marked(self, objects: Sequence[Object]) -> tuple[Object, ...]:
        """Give the objects with these images marked, of whatever shape they are."""
        return tuple(self._marked(item) for item in objects)

    def require_known(self, objects: Sequence[Object]) -> None:
        """Refuse a word that no image is called by. Raises InputError."""
        images = sorted({image for item in objects for image in _images(item)})
        names = [word for word in self.words if word != STAND_IN_FOR_ALL]
        unknown = [word for word in names if not any(is_called(image, word) for image in images)]
        if unknown:
            message = f"--stand-in: no image is called {', '.join(unknown)}"
            raise InputError(message, hint=f"There are {', '.join(images) or 'none'}.")

    def _marked(self, item: Object) -> Object:
        metadata = item.pod_template.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        usual = isinstance(metadata, dict | None) and isinstance(annotations, dict | None)
        chosen = [image for image in _images(item) if any(is_called(image, w) for w in self.words)]
        value = STAND_IN_FOR_ALL if STAND_IN_FOR_ALL in self.words else ",".join(chosen)
        if not (item.makes_pods and usual and value):
            return item
        marked = {**(annotations or {}), STAND_IN: value}
        return item.with_pod_metadata({**(metadata or {}), "annotations": marked})


def _images(item: Object) -> list[str]:
    spec = item.pod_template.get("spec") if item.makes_pods else None
    found = spec.get("containers") if isinstance(spec, dict) else None
    every = found if isinstance(found, list) else []
    named = [each.get("image") for each in every if isinstance(each, dict)]
    return [image for image in named if isinstance(image, str)]
