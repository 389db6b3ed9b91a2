"""How a cluster is reached, and as whom: kubeconfig files, and a real server on loopback."""

from __future__ import annotations

import json
import logging
import math
import os
import ssl
import threading
import time
import warnings
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml
from tests.paths import LOOPBACK_PEM

from meshdemo.engines.cluster.api import remote_exec as remote
from meshdemo.engines.cluster.api.connection import Denied, Forbidden, Unauthenticated
from meshdemo.engines.cluster.api.kube import Kube
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.engines.cluster.conftest import Serve

    Write = Callable[..., str]

ANONYMOUS = 'pods is forbidden: User "system:anonymous" cannot list resource "pods"'
KINDS = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}


class Server(ThreadingHTTPServer):
    """Answers each path as the test says, and keeps the credentials that it was shown."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {}
        self.shown: list[str | None] = []
        self.drip = 0.0
        """Seconds between two bytes of an answer."""
        self.date = ""
        """What time it says it is; empty for the true one."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.shown.append(self.headers.get("Authorization"))
        status, said = self.server.answers.get(self.path.partition("?")[0], (200, {}))
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body if self.server.drip else ():
            time.sleep(self.server.drip)
            with suppress(OSError):  # whoever asked has gone
                self.wfile.write(bytes([byte]))
        if not self.server.drip:
            self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(timestamp)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def server(serve: Serve) -> Iterator[Server]:
    server = Server()
    with serve(server):
        yield server


@pytest.fixture
def write(tmp_path: Path, server: Server) -> Write:
    """Write a kubeconfig with one context for the server, and give its path."""

    def written(user: object = None, name: str = "class", scheme: str = "http") -> str:
        address = {"server": f"{scheme}://127.0.0.1:{server.server_port}"}
        if scheme == "https":
            address["insecure-skip-tls-verify"] = True  # type: ignore[assignment]
        config = {
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": "c", "user": "ada"}}],
            "clusters": [{"name": "c", "cluster": address}],
            "users": [{"name": "ada", "user": user or {"token": "old"}}],
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return written


def opened(file: str, context: str | None = None, timeout: float = 300) -> Kube:
    return Kube.open(Settings(kubeconfig=file, context=context, timeout=timeout))


def plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    """A user whose credentials come from a command."""
    command = tmp_path / "login"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(command)}
    return {"exec": {**how, "args": ["token", "--cluster", "c"]}}


def credential(token: str, **status: str) -> str:
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    return f"echo '{json.dumps({**said, 'status': {**status, 'token': token}})}'"


@pytest.mark.parametrize(
    ("status", "message"), [(401, "Unauthorized"), (403, ANONYMOUS)], ids=["401", "anonymous"]
)
def test_who_is_not_known_to_the_cluster_is_told_so_and_no_right_is_said_to_be_missing(
    status: int, message: str, server: Server, write: Write
) -> None:
    server.answers["/version"] = (status, {"message": message})
    file = write()
    with pytest.raises(Unauthenticated) as caught:
        opened(file).version()
    assert "does not accept your credentials (user ada of context class)" in caught.value.message
    assert f"kubectl auth whoami --context class --kubeconfig {file}" in caught.value.hint
    assert not isinstance(caught.value, Denied)


def test_who_is_known_and_may_not_is_forbidden(server: Server, write: Write) -> None:
    server.answers["/version"] = (403, {"message": 'User "ada" cannot get path "/version"'})
    with pytest.raises(Forbidden, match='User "ada"'):
        opened(write()).version()


def test_an_exec_is_refused_to_a_stranger_in_the_same_words(server: Server, write: Write) -> None:
    server.answers["/api/v1"] = (200, {"resources": [KINDS]})
    server.answers["/api/v1/namespaces/n/pods/p/exec"] = (401, {"message": "Unauthorized"})
    target = remote.Target("n", "p", "c")
    kube = opened(write())
    with pytest.raises(Unauthenticated), remote.start(kube, target, ["id"], math.inf):
        pass


def test_a_plugin_gives_the_token(server: Server, write: Write, tmp_path: Path) -> None:
    opened(write(plugin(tmp_path, credential("new")))).version()
    assert server.shown == ["Bearer new"]


def test_a_missing_plugin_is_named_with_its_own_advice_and_nothing_is_logged(
    write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    how = {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws-not-there"}
    file = write({"exec": {**how, "args": ["eks"], "installHint": "Install\nthe AWS CLI."}})
    with pytest.raises(EnvironmentFailed) as caught:
        opened(file)
    assert "user ada come from the command aws-not-there eks, which failed" in caught.value.message
    assert "No such file" in caught.value.message
    assert caught.value.hint == "Install the AWS CLI."
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_fails_is_shown_with_what_it_said(
    write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(plugin(tmp_path, "echo session is over >&2; exit 3"))
    with pytest.raises(EnvironmentFailed, match=r"login token, which.*3.*session is over"):
        opened(file)
    assert capfd.readouterr() == ("", "")


def test_no_option_of_a_failing_plugin_is_shown_for_it_may_be_a_secret(
    write: Write, tmp_path: Path
) -> None:
    user = plugin(tmp_path, 'echo "no login with $*" >&2; exit 3')
    user["exec"]["args"] = ["oidc", "login", "--client-secret=S3CRET", "--password", "hunter2"]
    with pytest.raises(EnvironmentFailed) as caught:
        opened(write(user))
    said = f"{caught.value.message} {caught.value.hint}"
    assert "login oidc login, which failed" in said
    assert "no login with oidc login --client-secret=... --password ..." in said
    assert "S3CRET" not in said
    assert "hunter2" not in said


def test_no_option_is_shown_either_when_a_plugin_cannot_renew_the_token(
    write: Write, tmp_path: Path
) -> None:
    once = f'mkdir {tmp_path}/used 2>&- || {{ echo "no $*" >&2; exit 3; }}'
    token = credential("short", expirationTimestamp="2020-01-01T00:00:00Z")
    user = plugin(tmp_path, f"{once}\n{token}")
    user["exec"]["args"] = ["login", "--client-secret=S3CRET"]
    kube = opened(write(user))
    with pytest.raises(EnvironmentFailed, match=r"renewed: .*no login --client-secret=\.\.\.$"):
        kube.version()


def test_what_another_call_that_was_given_up_says_is_not_said_of_this_one(write: Write) -> None:
    over = threading.Event()

    def another() -> None:
        while not over.wait(0.001):
            logging.error("exec: failed to decode process output")  # noqa: LOG015 - as the library

    thread = threading.Thread(target=another)
    thread.start()
    try:
        assert opened(write({"token": "t"})).version() == {}
    finally:
        over.set()
        thread.join()


def test_a_token_that_cannot_be_renewed_is_not_shown_any_more(
    server: Server, write: Write, tmp_path: Path
) -> None:
    once = f"mkdir {tmp_path}/used || exit 3"
    token = credential("short", expirationTimestamp="2020-01-01T00:00:00Z")
    kube = opened(write(plugin(tmp_path, f"{once}\n{token}")))
    with pytest.raises(EnvironmentFailed, match="cannot be renewed"):
        kube.version()
    assert not server.shown


def test_a_server_whose_certificate_is_not_to_be_checked_brings_no_warning(
    server: Server, write: Write
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_PEM)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert opened(write(scheme="https")).version() == {}
    assert not warned


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b", "is not a valid kubeconfig: while parsing"),
        ("just words", "is not a valid kubeconfig: it is not of that shape"),
        ("a: " + "[" * 100_000, "is not a valid kubeconfig: it is not of that shape"),
        ("", "is not a valid kubeconfig: .* is empty"),
        ("contexts: words", "is not a valid kubeconfig: .*Expected key name"),
        ("{}", "names no current context; it has none at all"),
    ],
)
def test_a_file_that_is_not_a_kubeconfig_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(EnvironmentFailed, match=f"{file} {said}"):
        opened(str(file))


def test_a_file_that_is_not_there_is_named_with_where_that_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFailed, match=r"there is no file .*/x \(--kubeconfig\)"):
        opened(f"{tmp_path}/x")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/y")
    with pytest.raises(EnvironmentFailed, match=r"there is no file .*/y \(KUBECONFIG\)"):
        Kube.open(Settings())
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(EnvironmentFailed, match=r"there is no file .*/\.kube/config$"):
        Kube.open(Settings())


def test_a_context_that_is_not_there_is_named_with_those_that_are(write: Write) -> None:
    with pytest.raises(EnvironmentFailed, match=r"class.yaml has no context lab; it has class"):
        opened(write(), "lab")


def test_a_context_without_its_user_or_its_cluster_cannot_be_used(write: Write) -> None:
    file = Path(write())
    config = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**config, "users": []}))
    with pytest.raises(EnvironmentFailed, match="context class is for user ada, whom"):
        opened(str(file))
    file.write_text(yaml.safe_dump({**config, "clusters": []}))
    with pytest.raises(EnvironmentFailed, match=r"context class of .* cannot be used"):
        opened(str(file))


def test_of_several_files_the_first_current_context_counts_as_for_kubectl(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [f"{tmp_path}/not-there", write(name="first"), write(name="second")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(files))
    assert Kube.open(Settings()).context == "first"
    assert Kube.open(Settings(context="second")).context == "second"


def test_the_time_is_the_servers(server: Server, write: Write) -> None:
    kube = opened(write())
    server.date = "Wed, 01 Jan 2020 00:00:00 GMT"
    kube.version()
    assert (
        timedelta() <= kube.now() - datetime(2020, 1, 1, tzinfo=timezone.utc) < timedelta(hours=1)
    )


@pytest.mark.parametrize("said", ["soon", " "], ids=["nonsense", "nothing"])
def test_a_server_that_does_not_say_what_time_it_is_is_taken_to_have_ours(
    said: str, server: Server, write: Write
) -> None:
    kube = opened(write())
    server.date = said
    kube.version()
    assert abs(kube.now() - datetime.now(timezone.utc)) < timedelta(hours=1)


def test_an_answer_that_drips_is_not_waited_for_beyond_the_steps_time(
    server: Server, write: Write
) -> None:
    server.answers["/version"] = (200, {"gitVersion": "v1.34.4"})
    kube = opened(write(), timeout=0.3)
    server.drip = 0.05
    with pytest.raises(TimedOut, match=r"GET http://127.0.0.1:\d+/version was not done within the"):
        kube.version()
    server.drip = 0.0
    asked = len(server.shown)
    for _ in range(20):  # the time is the step's, and it is over: no answer is quick enough
        with pytest.raises(TimedOut):
            kube.version()
    assert len(server.shown) == asked
    kube.budget.begin()
    assert kube.version()["gitVersion"] == "v1.34.4"


def test_a_plug_in_that_never_gives_credentials_is_ended_with_the_steps_time(
    tmp_path: Path, write: Write
) -> None:
    script = f"echo $$ >{tmp_path}/pid; while :; do sleep 0.1; done"
    file = write(plugin(tmp_path, script))
    with pytest.raises(
        TimedOut, match=r"come from the command .*login token, which failed: it did"
    ):
        opened(file, timeout=2)
    pid = int((tmp_path / "pid").read_text())
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)
    assert not psutil.pid_exists(pid)


def test_a_certificate_of_another_authority_is_no_cluster_that_is_down(
    serve: Serve, tmp_path: Path
) -> None:
    server = Server()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(LOOPBACK_PEM)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    config = tmp_path / "config"
    address = {"server": f"https://127.0.0.1:{server.server_port}"}
    config.write_text(
        yaml.safe_dump(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": address}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    with serve(server), pytest.raises(EnvironmentFailed, match="CERTIFICATE_VERIFY_FAILED") as no:
        opened(str(config)).version()
    assert "certificate-authority" in no.value.hint
    assert "Is the cluster up" not in no.value.hint
