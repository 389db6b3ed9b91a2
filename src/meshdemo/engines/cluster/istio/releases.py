"""What each Istio release can do, from 1.10 to 1.32.

Seen to work is 1.32 (a development build) with Kubernetes 1.34, and of 1.10 the output that an
article recorded. The rest is what Istio's sources and its support table say.
"""

from __future__ import annotations

import re

from msgspec import Struct

PINNED = "1.30.3"
"""The istioctl that is fetched unless another one is asked for."""
OLDEST, NEWEST, NEWEST_OUT = 10, 32, 31
"""The last one is out; the one before is to come."""
LAST_WITH_VERIFY_INSTALL = 23
FIRST_WITH_UNINSTALL = 15
"""Before, it is ``istioctl x uninstall``."""
FIRST_THAT_WAITS_FOR_REVISION = 28
"""Since then kube-inject without ``-r`` first waits for the cluster to say its revision."""

SUPPORTED_KUBERNETES: dict[int, tuple[int, int]] = {
    10: (18, 21),
    11: (18, 22),
    12: (19, 22),
    13: (20, 23),
    14: (21, 24),
    15: (22, 25),
    16: (22, 25),
    17: (23, 26),
    18: (24, 27),
    19: (25, 28),
    20: (25, 29),
    21: (26, 29),
    22: (27, 30),
    23: (27, 30),
    24: (28, 31),
    25: (29, 32),
    26: (29, 33),
    27: (29, 33),
    28: (30, 34),
    29: (31, 35),
    30: (32, 36),
    31: (32, 36),
    32: (32, 36),
}
"""First and last minor of Kubernetes that each minor of Istio supports (both 1.x).

1.10 and 1.11 stand in no table any more: theirs follow from the ones after them. 1.32 is not out
yet: its range is that of 1.31.
"""


class Release(Struct, frozen=True, order=True):
    """A release of Istio by its minor: ``Release(32)`` is 1.32."""

    minor: int

    def __str__(self) -> str:
        return f"1.{self.minor}"

    @property
    def known(self) -> bool:
        """Tell whether the table speaks of it."""
        return OLDEST <= self.minor <= NEWEST

    @property
    def has_verify_install(self) -> bool:
        """Tell whether ``istioctl verify-install`` is there; ``install --verify`` does nothing."""
        return self.minor <= LAST_WITH_VERIFY_INSTALL

    @property
    def uninstall(self) -> tuple[str, ...]:
        """Give the subcommand that removes Istio."""
        return ("uninstall",) if self.minor >= FIRST_WITH_UNINSTALL else ("x", "uninstall")

    @property
    def wants_revision(self) -> bool:
        """Tell whether kube-inject must be told the revision, even the default one."""
        return self.minor >= FIRST_THAT_WAITS_FOR_REVISION

    @property
    def kubernetes(self) -> tuple[int, int]:
        """First and last minor of Kubernetes; beyond the table those of the nearest release."""
        return SUPPORTED_KUBERNETES[min(max(self.minor, OLDEST), NEWEST)]

    def supports(self, kubernetes_minor: int) -> bool:
        """Tell whether it is supported on Kubernetes 1.``kubernetes_minor``."""
        first, last = self.kubernetes
        return first <= kubernetes_minor <= last


def can_be_fetched(version: str) -> bool:
    """Tell whether Istio publishes this version; of a development build it does not."""
    return re.fullmatch(r"1\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?", version) is not None


def release_of(version: str) -> Release | None:
    """Read the release out of a version as in ``1.28.3`` or ``1.32-alpha.eed52ebb66ad``."""
    found = re.match(r"v?1\.(\d+)\b", version)
    return Release(int(found[1])) if found else None


def newest_for(kubernetes_minor: int) -> Release | None:
    """Give the newest release that is out and supports Kubernetes 1.``kubernetes_minor``."""
    known = (Release(minor) for minor in range(NEWEST_OUT, OLDEST - 1, -1))
    return next((release for release in known if release.supports(kubernetes_minor)), None)
