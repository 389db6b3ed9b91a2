"""The connection to an API server: the only user of the kubernetes client, and the border for
its errors.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from meshdemo.engines.cluster.api import kubeconfig, websocket
from meshdemo.engines.cluster.api.time_budget import Budget, OutOfTime
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Self
    from websocket import WebSocket

    from meshdemo.settings import Settings

Json: TypeAlias = "dict[str, Any]"

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_TIMEOUT = 5.0
"""Seconds; a server that is there takes milliseconds."""
REQUEST_TIMEOUT = 30.0
"""Seconds for an answer; a webhook that does not answer takes 10 at most."""
AT_ONCE = 32
"""Connections that are kept: so many requests are under way at a time, at most."""
JSON = "application/json"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
ERRORS_FROM = 400
ANONYMOUS = 'User "system:anonymous"'
"""Whom a server that lets everybody ask names, where it was shown no credentials."""


class Unreachable(EnvironmentFailed):
    """There is no cluster to talk to."""


class Unauthenticated(EnvironmentFailed):
    """The API server does not know who we are. It is not a missing right, so no Denied."""


class Denied(EnvironmentFailed):
    """The API server did not do it; ``body`` is the Status in which it says why."""

    def __init__(self, message: str, status: int, body: Json, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status, self.body = status, body

    @property
    def causes(self) -> list[Json]:
        """What is wrong with which field, where the server says so."""
        return (self.body.get("details") or {}).get("causes") or []


class Forbidden(Denied):
    """We may not do that."""


class NotFound(Denied):
    """There is no such object, or no such kind."""


class NoSuchKind(NotFound):
    """This server does not know the kind."""


@dataclass
class Connection:
    """One API server, as one kubeconfig context reaches it."""

    api: client.ApiClient
    context: str
    namespace: str
    """The context's own, else ``default``."""
    budget: Budget
    """The time that the present step has left."""
    kubeconfig: str | None = None
    in_cluster: bool = False
    user: str = ""
    """As the kubeconfig names them; empty where it names nobody."""
    secrets: tuple[str, ...] = ()
    """What no error may show: the values of the options of a plug-in for credentials."""
    plugin: str = ""
    """The command of that plug-in."""
    _heard: tuple[str, float] = field(default=("", 0.0), init=False)
    """The server's time in its latest answer, and when that came by the monotonic clock."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Connect as kubectl would. Nothing is sent yet."""
        conf = client.Configuration()
        conf.retries = False
        conf.connection_pool_maxsize = AT_ONCE
        explicit = settings.kubeconfig or settings.context or os.environ.get("KUBECONFIG")
        if not explicit and (SERVICE_ACCOUNT_FOLDER / "token").exists():
            return cls._inside(conf, settings)
        budget = Budget(settings.timeout)
        login = kubeconfig.log_in(settings.kubeconfig, settings.context, conf, budget)
        if not conf.verify_ssl:  # insecure-skip-tls-verify: the user's choice, not to be repeated
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        connection = client.ApiClient(conf)
        return cls(
            connection, login.context, login.namespace, budget, settings.kubeconfig,
            user=login.user, secrets=login.secrets, plugin=login.plugin,
        )  # fmt: skip

    @classmethod
    def _inside(cls, conf: client.Configuration, settings: Settings) -> Self:
        try:
            config.load_incluster_config(client_configuration=conf)
            namespace = (SERVICE_ACCOUNT_FOLDER / "namespace").read_text(encoding="utf-8").strip()
        except (ConfigException, OSError) as error:
            raise Unreachable(f"this pod's service account cannot be used: {error}") from error
        budget = Budget(settings.timeout)
        return cls(client.ApiClient(conf), "in-cluster", namespace, budget, in_cluster=True)

    @property
    def server(self) -> str:
        """The API server's URL."""
        return str(self.api.configuration.host)

    def now(self) -> datetime:
        """Give the time by the server's clock: ours may be minutes away from it."""
        said, moment = self._heard
        try:
            since = timedelta(seconds=time.monotonic() - moment)
            return parsedate_to_datetime(said).astimezone(timezone.utc) + since
        except ValueError:  # it has not said what time it is
            return datetime.now(timezone.utc)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> Json:
        """Send a request, and give the answer's JSON."""
        headers = {**self.credentials(), **({} if body is None else {"Content-Type": content_type})}

        def answered() -> Json:
            response = self._send(method, path, query or {}, headers, body)
            try:
                found: Json = json.loads(response.data or b"{}")
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                raise unreachable(self.server, error) from error
            return found

        return self.budget.run(answered, self._asking(method, path))

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, str], *, read_timeout: float | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open an answer that comes line by line; ``read_timeout`` bounds each silence."""
        headers = self.credentials()
        response = self.budget.run(
            lambda: self._send("GET", path, query, headers, None, read_timeout=read_timeout),
            self._asking("GET", path),
        )
        try:
            yield _lines(response, self.server)
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: object,
        *,
        read_timeout: float | None = REQUEST_TIMEOUT,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        response: urllib3.BaseHTTPResponse
        try:
            response = self.api.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers={"Accept": JSON, **headers},
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
                preload_content=False,
            )
            self._heard = response.headers.get("Date", ""), time.monotonic()
            if response.status >= ERRORS_FROM:
                raise self._denial(response.status, response.data)
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self.server, error) from error
        return response

    def credentials(self) -> dict[str, str]:
        """Give the headers that say who we are; a client certificate is in the connection."""
        try:
            settings, errors = kubeconfig.asked(
                self.api.configuration.auth_settings, self.budget, self.plugin, self.secrets
            )
        except OutOfTime:
            raise
        except Exception as error:  # the client's credential plug-ins raise whatever they like
            raise Unreachable(f"the credentials cannot be had: {error}") from error
        if errors:
            raise Unreachable(f"the credentials cannot be renewed: {'; '.join(errors)}")
        return {each["key"]: each["value"] for each in settings.values() if each["value"]}

    def stranger(self, status: int, message: str) -> Unauthenticated | None:
        """Read out of an answer that the server does not know us; None if that is not it."""
        if status != UNAUTHORIZED and ANONYMOUS not in message:
            return None
        who = f"user {self.user} of context" if self.user else "context"
        flags = "" if self.in_cluster else f" --context {self.context}"
        flags += f" --kubeconfig {self.kubeconfig}" if self.kubeconfig else ""
        return Unauthenticated(
            f"the cluster does not accept your credentials ({who} {self.context}): {message}",
            hint="Log in anew: a token may have expired. "
            f"Whom it takes you for: kubectl auth whoami{flags}",
        )

    def _denial(self, status: int, data: bytes) -> Unauthenticated | Denied:
        try:
            body = json.loads(data)
        except ValueError:
            body = {}
        if not isinstance(body, dict):
            body = {}
        said = data.decode(errors="replace")[:500]
        message = str(body.get("message") or said or f"HTTP {status}")
        if unknown := self.stranger(status, message):
            return unknown
        if status == FORBIDDEN:
            hint = "Ask who runs the cluster for these rights; see meshdemo doctor."
            return Forbidden(message, status, body, hint=hint)
        return (NotFound if status == NOT_FOUND else Denied)(message, status, body)

    def websocket(
        self, path: str, query: Sequence[tuple[str, str]], protocols: str, timeout: float
    ) -> WebSocket:
        """Open a websocket. Raises what the websocket library raises: its reader knows more."""
        url = f"{self.server.replace('http', 'ws', 1)}{path}?{urlencode(query)}"
        headers = {"sec-websocket-protocol": protocols, **self.credentials()}
        return self.budget.run(
            lambda: websocket.connect(self.api.configuration, url, headers, timeout),
            f"the connection to {path}",
            least=timeout,
        )

    def _asking(self, method: str, path: str) -> str:
        return f"{method} {self.server}{path}"


def unreachable(server: str, error: Exception) -> Unreachable:
    """Say that the API server cannot be reached, and why."""
    reason = getattr(error, "reason", None) or error
    hint = "Is the cluster up, and is this its context? kubectl config get-contexts"
    if "CERTIFICATE_VERIFY_FAILED" in str(reason):
        hint = (
            "The server is there, and its certificate is not what the kubeconfig expects: is its "
            "certificate-authority that of another cluster, or of this one before it was made anew?"
        )
    return Unreachable(f"the API server {server} cannot be reached: {reason}", hint=hint)


def _lines(response: urllib3.BaseHTTPResponse, server: str) -> Iterator[bytes]:
    rest = b""
    try:
        for part in response.stream():
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
    except urllib3.exceptions.HTTPError as error:
        raise unreachable(server, error) from error
    if rest:
        yield rest
