"""The test client on loopback: its requests, and commands of the user's that are it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from meshdemo.engines import run_record
from meshdemo.engines.local import images
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.pods import ports
from meshdemo.engines.local.pods.layout import process_name
from meshdemo.engines.test_client import answering
from meshdemo.errors import BrokenOff, EnvironmentFailed
from meshdemo.objects.containers import ISTIO_PROXY
from meshdemo.rules.client_view import Client
from meshdemo.system import files, shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from typing_extensions import Self

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.pods.runtime import Runtime
    from meshdemo.engines.test_client import Sender
    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Reply, Request

UP_HINT = "Start one with: meshdemo up"


class Caller(Struct, frozen=True):
    """The test client of a namespace, and what is applied there."""

    runtime: Runtime
    objects: Sequence[Object]
    pod: PlannedPod
    url: str
    """Of its proxy: whoever uses it is inside the test client."""

    @classmethod
    def of(cls, runtime: Runtime, objects: Sequence[Object], sender: Sender) -> Self:
        """Find the pod that sends. Raises EnvironmentFailed if there is none."""
        planned = runtime.planned()
        pod = sender.find(planned.pods)
        if pod is None:
            raise sender.missing(planned.pods)
        return cls(runtime, objects, pod, f"http://{LOOPBACK}:{planned.proxy(pod)}")

    @property
    def client(self) -> Client:
        """The pod that sends, as the rules see it."""
        return Client(self.pod.namespace, self.pod.labels, self.pod.injected)

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None
    ) -> Iterator[Reply]:
        """Send a request ``count`` times, or until there is ``enough``, in ``timeout`` seconds."""
        from meshdemo.engines.local import requests  # noqa: PLC0415 - only who sends pays for it
        from meshdemo.rules.sending import sending  # noqa: PLC0415 - the same

        pod = self.pod
        if not self._proxy_listens():
            # What is sent to nobody would say nothing of the rules.
            message = f"the proxy of the test client {pod.name} does not run"
            raise EnvironmentFailed(message, hint="Type: meshdemo up")
        others = answering(self.runtime.planned().pods, pod)
        how = sending(self.objects, others, request, self.client)
        side_by_side = requests.SIDE_BY_SIDE if how.side_by_side else 1
        connections = requests.Connections(side_by_side, how.fresh_connections)
        replies = requests.send(
            request, count, self.url, connections, timeout=timeout, enough=enough
        )
        return self._watched(replies)

    def _watched(self, replies: Iterator[Reply]) -> Iterator[Reply]:
        """Give the replies; what its own proxy broke by its end is not an answer of the mesh."""
        pod, supervisor = self.pod, self.runtime.supervisor
        outside = self.runtime.layout.kube_proxy(pod.namespace).name
        proxy = process_name(pod, ISTIO_PROXY) if pod.injected else outside
        before = supervisor.starts(proxy)
        yield from replies
        # Asked in this order: at its end it may let go of connections before it stops listening,
        # and by the time that another one listens, supervisord has told of its start.
        is_gone = supervisor.is_ending(proxy) or not self._proxy_listens()
        if is_gone or supervisor.starts(proxy) != before:
            message = f"the proxy of the test client {pod.name} ended meanwhile"
            raise BrokenOff(message, hint="Try again.")

    def _proxy_listens(self) -> bool:
        return ports.is_listening(urlsplit(self.url).port or 0)

    def run(self, argv: Sequence[str]) -> int:
        """Run a command as if in the test client, on this terminal; none means a shell."""
        from meshdemo.engines.local import requests  # noqa: PLC0415 - only who sends pays for it
        from meshdemo.engines.local.apps import curl  # noqa: PLC0415 - only exec needs it

        container = images.containers(self.pod.template)[0]
        own = self.runtime.surroundings(self.pod, self.objects).environment(self.pod, container)
        env = requests.environment(self.url, own, pod=self.pod.name)
        tools = self.runtime.layout.pod(self.pod) / "bin"
        if not files.is_own_folder(tools.parent):
            raise run_record.Damaged(tools.parent, run_record.NOT_OURS)
        if curl.ensure_curl(tools):
            env["PATH"] = f"{tools}:{env.get('PATH', os.defpath)}"
        # A user's start-up files might set another proxy.
        bash = shutil.which("bash")
        interactive = [bash, "--norc", "--noprofile"] if bash else ["/bin/sh"]
        return shell.attach(list(argv) or interactive, env=env)
