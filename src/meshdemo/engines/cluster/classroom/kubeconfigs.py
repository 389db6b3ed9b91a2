"""A folder with a kubeconfig for each student, which nobody else on this machine may read."""

from __future__ import annotations

import base64
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from meshdemo.errors import EnvironmentFailed, advice
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.classroom.seats import Seat

MARK = "# A student's kubeconfig: `meshdemo class up` made it, `meshdemo class down` removes it.\n"
"""The first line of a file of ours."""
USER = "student"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass
class Kubeconfigs:
    """The folder of one class."""

    kube: Kube
    folder: Path
    name: str
    """Of the class."""

    def path(self, student: str) -> Path:
        """Say where a student's kubeconfig is."""
        return self.folder / f"{student}.yaml"

    def require(self, students: Sequence[str]) -> None:
        """See that they can be written, over no file of others. Raises EnvironmentFailed."""
        if not self.folder.exists():
            return
        if not files.is_own_folder(self.folder):
            message = f"{self.folder} is not a folder of yours"
            raise EnvironmentFailed(message, hint="Name another one: --folder DIR")
        if self.folder.stat().st_mode & OTHERS:
            message = f"others may look into {self.folder}, and kubeconfigs hold tokens"
            hint = f"chmod 700 {self.folder}, or name one that is yet to be made: --folder DIR"
            raise EnvironmentFailed(message, hint=hint)
        paths = [self.path(student) for student in students]
        foreign = [p.name for p in paths if (p.exists() or p.is_symlink()) and not self._is_ours(p)]
        if foreign:
            message = f"already in {self.folder}, and not of this class: {', '.join(foreign)}"
            raise EnvironmentFailed(message, hint="Name another one: --folder DIR")

    def write(self, seats: Sequence[Seat]) -> None:
        """Write a kubeconfig for each student."""
        cluster = self._cluster()
        for seat in seats:
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": self.name, "cluster": cluster}],
                "users": [{"name": USER, "user": {"token": seat.token}}],
                "contexts": [
                    {
                        "name": seat.name,
                        "context": {"cluster": self.name, "user": USER, "namespace": seat.name},
                    }
                ],
                "current-context": seat.name,
            }
            files.write(self.path(seat.name), MARK + yaml.safe_dump(config, sort_keys=False))

    def remove(self) -> int:
        """Remove those of this class, and the folder if nothing else is in it; count them."""
        count = 0
        for path in self._ours():
            try:
                path.unlink()
            except OSError as error:
                message = f"{path} cannot be removed: {error.strerror}"
                raise EnvironmentFailed(message, hint=advice(error)) from error
            count += 1
        if count and not any(self.folder.iterdir()):
            files.remove_file(self.folder)
        return count

    def _ours(self) -> Iterator[Path]:
        if files.is_own_folder(self.folder):
            yield from filter(self._is_ours, sorted(self.folder.glob(f"{self.name}-*.yaml")))

    def _is_ours(self, path: Path) -> bool:
        """Tell whether we made a file, for this class on this cluster."""
        said = files.text(path)
        if not said.startswith(MARK):
            return False
        try:
            (cluster,) = yaml.safe_load(said)["clusters"]
            found = (cluster["name"], cluster["cluster"]["server"])
        except (yaml.YAMLError, LookupError, TypeError, ValueError):
            return False
        return found == (self.name, self.kube.server)

    def _cluster(self) -> dict[str, Any]:
        """Say how the cluster is reached, as we reach it ourselves; it names no other file."""
        conf = self.kube.api.configuration
        found: dict[str, Any] = {"server": self.kube.server}
        if not conf.verify_ssl:  # beside a certificate kubectl refuses it
            found["insecure-skip-tls-verify"] = True
        elif conf.ssl_ca_cert:
            content = Path(conf.ssl_ca_cert).read_bytes()
            found["certificate-authority-data"] = base64.b64encode(content).decode()
        if name := getattr(conf, "tls_server_name", None):
            found["tls-server-name"] = name
        if conf.proxy:
            found["proxy-url"] = conf.proxy
        return found
