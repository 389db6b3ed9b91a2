"""What one request of a route test got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from meshdemo.engines.local.private.stand_ins import Arrived
    from meshdemo.rules.destinations import Target
    from meshdemo.verdict.traffic import Reply, Request


class Answer(Struct, frozen=True):
    """What one request got."""

    request: Request
    """As it was sent, with its id."""
    reply: Reply
    seconds: float
    arrived: Arrived | None
    """As it came to the pod that answered; None where a proxy answered itself."""
    others: tuple[Arrived, ...] = ()
    """The same at other pods: copies and earlier attempts, as far as they came by then."""
    services: tuple[str, ...] = ()
    """The full names of the Services that the pod which answered is behind."""
    copied_to: tuple[str, ...] = ()
    """The same of the pods that got copies; looked for by whoever asks for them."""
    copied_back: tuple[Target, ...] = ()
    """Where copies went that are none for anybody: the pod that answered may have got them."""
    copies_hidden: str = ""
    """Why it is not known where copies went; empty where it is."""
    times: int = 1
    """How often the pod that answered got the request, as far as is known: copies and retries."""
    is_untold: bool = False
    """Whether the app that answered does not tell how the request came to it; stand-ins do."""

    @property
    def version(self) -> str:
        """The version of the pod that answered; empty where none did, or it has none."""
        return self.arrived.version if self.arrived else ""
