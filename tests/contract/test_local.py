"""What the local engine promises beyond the protocol: processes, ports and files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
from msgspec.structs import replace
from tests.contract.conftest import changed, end_of, run_of

from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.local.pods import ports
from meshdemo.engines.local.processes import orphans
from meshdemo.errors import BrokenOff, EnvironmentFailed, InputError, TimedOut
from meshdemo.objects import reading
from meshdemo.settings import Settings
from meshdemo.system import waiting
from meshdemo.verdict import expectation
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.traffic import Reply, Request
from meshdemo.walkthrough import route as routing
from meshdemo.walkthrough import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from threading import Event

    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.verify import Measured

SECONDS = 60
COMMAND = "meshdemo.dev/command"
WEB = """
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{name: http, port: 8000, targetPort: web}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata:
      labels: {{app: web}}
      annotations: {{meshdemo.dev/command: {command}}}
    spec:
      containers:
      - name: web
        image: example.org/web:1
        env: [{{name: GREETING, value: "two words; $(HOME) # and 'quotes'\\n100%"}}]
        ports: [{{name: web, containerPort: 8080}}]
"""
SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}).encode())
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


def web(command: str) -> tuple[Object, ...]:
    problems: list[object] = []
    found = reading.parse(WEB.format(command=json.dumps(command)), "web.yaml", problems)  # type: ignore[arg-type]  # only looked at
    assert not problems
    return tuple(
        item.with_data({**item.data, "metadata": {**item.metadata, "namespace": "default"}})
        for item in found
    )


@pytest.fixture
def engine(local: LocalEngine) -> LocalEngine:
    return local


def processes(engine: LocalEngine, part: str) -> list[psutil.Process]:
    """Give the run's processes with this in their command line."""
    found = []
    for process in orphans.of_run(run_of(engine)):
        with suppress(psutil.NoSuchProcess):  # it ended just now
            if part in " ".join(process.cmdline()):
                found.append(process)
    return found


def count(
    engine: LocalEngine, number: int = 50, url: str = "http://app/env/version"
) -> Counter[str]:
    return Counter(r.error or (r.body if r.status == 200 else f"HTTP {r.status}")
                   for r in engine.send(Request(url), number, SECONDS))  # fmt: skip


def wait_until_ready(engine: LocalEngine) -> None:
    waiting.until(
        lambda: all(pod.is_ready and not pod.message for pod in engine.pods()),
        "the pods", timeout=SECONDS,
    )  # fmt: skip


def test_what_crashes_is_started_again_with_the_rules_in_force(
    engine: LocalEngine, up: Callable[[], None]
) -> None:
    up()
    restarts = 0
    for part in ("apps.flaskapp", "bootstrap.json"):
        victims = processes(engine, part)
        assert len(victims) >= 2
        for victim in victims:
            victim.kill()
        waiting.until(lambda: not any(v.is_running() for v in victims), "their end", timeout=60)  # noqa: B023 - called at once
        wait_until_ready(engine)
        restarts += len(victims)
        assert sum(pod.restarts for pod in engine.pods()) == restarts, part
        assert set(count(engine)) == {"v2"}, part


def test_after_kill_9_of_the_supervisor_up_repairs_it_and_down_finds_every_process(
    engine: LocalEngine, up: Callable[[], None]
) -> None:
    up()
    before = engine.proxy_url()
    for supervisor in processes(engine, "supervisord.conf"):
        supervisor.kill()
    assert {pod.ready for pod in engine.pods()} == {"0/2"}
    assert all("meshdemo up" in pod.message for pod in engine.pods())
    up()
    assert {pod.ready for pod in engine.pods()} == {"2/2"}
    assert engine.proxy_url() == before
    assert set(count(engine)) == {"v2"}
    run, held = run_of(engine), ports.PortLocks(run_of(engine), engine.store.folder).held()
    for supervisor in processes(engine, "supervisord.conf"):
        supervisor.kill()
    assert orphans.of_run(run)
    assert all(check.ok for check in engine.down())
    assert not orphans.of_run(run)
    assert not any(ports.is_listening(port) for port in held)
    assert not engine.store.folder.exists()


@pytest.fixture
def stray(engine: LocalEngine, tmp_path: Path) -> Iterator[psutil.Process]:
    """Give a process that a command left behind: without its parent, session and environment."""
    (tmp_path / "leave.sh").write_text(
        f"(env -i setsid sh -c 'echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; "
        "exec sleep 600' &)\nexec sleep 600\n"
    )
    leaving = without_ports(web(f"sh {tmp_path}/leave.sh")[1])
    engine.apply([leaving])
    engine.wait_ready([leaving], SECONDS)
    file = tmp_path / "pid"
    waiting.until(file.exists, "the stray", timeout=SECONDS)
    process = psutil.Process(int(file.read_text()))
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_down_ends_what_left_its_parent_its_session_and_its_environment(
    engine: LocalEngine, stray: psutil.Process
) -> None:
    assert stray not in orphans.of_run(run_of(engine))
    (gone, *_) = engine.down()
    assert (gone.ok, gone.detail) == (True, "4 ended")
    assert not stray.is_running()


def test_a_supervisord_that_is_ended_ends_all_that_is_below_it(
    engine: LocalEngine, stray: psutil.Process
) -> None:
    supervisors = processes(engine, "supervisord.conf")
    for supervisor in supervisors:
        supervisor.terminate()
    psutil.wait_procs(supervisors, SECONDS)
    assert not stray.is_running()


@pytest.mark.usefixtures("stray")
def test_where_supervisord_was_killed_down_says_what_it_may_have_overlooked(
    engine: LocalEngine,
) -> None:
    for supervisor in processes(engine, "supervisord.conf"):
        supervisor.kill()
    (gone, *_) = engine.down()
    assert gone.ok
    assert "would not have been found: supervisord had ended before" in gone.detail


def test_a_supervisord_without_pods_that_is_still_ending_is_waited_for(
    engine: LocalEngine, up: Callable[[], None], workloads: Sequence[Object]
) -> None:
    up()
    engine.delete(workloads)
    (old,) = processes(engine, "supervisord.conf")
    argv = ["-c", str(engine.store.folder / "supervisord.conf")]
    ending = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", *argv], env=old.environ()
    )
    try:
        old.kill()
        up()
        assert ending.poll() is not None
    finally:
        ending.kill()
        ending.wait()


@pytest.mark.usefixtures("client")
def test_down_from_another_user_namespace_ends_all_that_is_there(engine: LocalEngine) -> None:
    argv = ["unshare", "--user", "--map-root-user"]
    if not shutil.which(argv[0]) or subprocess.run([*argv, "true"], check=False).returncode:
        pytest.skip("ATTENTION: this needs unshare and user namespaces, which are not allowed here")
    run, state = run_of(engine), str(engine.store.folder)
    down = [sys.executable, "-m", "meshdemo", "down", "--state-dir", state]
    done = subprocess.run([*argv, *down], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no process is left: 3 ended" in done.stdout
    assert not orphans.of_run(run)


def test_down_where_nothing_runs_starts_nothing_that_it_would_have_to_end(tmp_path: Path) -> None:
    down = [sys.executable, "-m", "meshdemo", "down", "--state-dir", str(tmp_path)]
    done = subprocess.run(down, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no process is left: 0 ended" in done.stdout


def test_down_that_has_no_time_keeps_what_it_takes_to_go_on(
    engine: LocalEngine, settings: Settings
) -> None:
    ignores_sigterm = (
        "import http.server as h, signal as s, sys; s.signal(s.SIGTERM, s.SIG_IGN); "
        "h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"
    )
    stubborn = web(shlex.join([sys.executable, "-c", ignores_sigterm, "{port}"]))
    engine.apply(stubborn)
    engine.wait_ready(stubborn, SECONDS)
    (pod,) = processes(engine, "SIG_IGN")
    impatient = LocalEngine(replace(settings, timeout=0.2))
    gone = list(impatient.down())
    assert not any(check.ok for check in gone)
    assert all(check.late for check in gone)
    assert str(pod.pid) in gone[0].detail
    assert run_of(engine)
    assert all(check.ok for check in engine.down())
    assert not pod.is_running()


EARLY = 100


class Midway(LocalEngine):
    """An engine with which something happens when some of the answers have come."""

    act: Callable[[], object]

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None = None
    ) -> Iterator[Reply]:
        for number, reply in enumerate(super().send(request, count, timeout, enough), 1):
            yield reply
            if number == EARLY:
                self.act()


def verdict_of(engine: LocalEngine, requests: int) -> Measured:
    """Verify that all answers are v2."""
    question = verify.Question(expectation.parse("v2=100%"), requests=requests)
    return end_of(verify.measure(engine, question))


def test_what_ends_or_changes_in_the_middle_of_a_measurement_is_no_verdict(
    engine: LocalEngine, up: Callable[[], None], settings: Settings, rules: Sequence[Object]
) -> None:
    measuring_one = Midway(settings)

    def end(part: str, number: int) -> None:
        victims = processes(engine, part)
        assert len(victims) == 1
        victims[0].send_signal(number)
        psutil.wait_procs(victims, SECONDS)

    def break_off() -> None:
        end("default.testclient", signal.SIGKILL)
        raise BrokenOff("nothing listens")

    def change_and_change_back() -> None:
        elsewhere = changed(rules[-1], http=[{"route": [{"destination": {"host": "app"}}]}])
        engine.apply([elsewhere])
        engine.apply(rules)

    # What ends must do so before all are sent.
    acts: dict[str, tuple[Callable[[], object], int]] = {
        "the rules, and back": (change_and_change_back, 200),
        "the rules": (partial(engine.delete, rules), 200),
        "the proxy": (partial(end, "default.testclient", signal.SIGKILL), 50_000),
        "the proxy, between two requests": (break_off, 50_000),
        "supervisord": (partial(end, "supervisord.conf", signal.SIGTERM), 50_000),
    }
    for what, (act, requests) in acts.items():
        up()
        measuring_one.act = act
        measured = verdict_of(measuring_one, requests)
        assert measured.verdict.outcome is Outcome.INCONCLUSIVE, what
        assert measured.tally.versions["v2"] >= EARLY, what
        assert measured.sample.disturbed, what


def test_a_proxy_that_has_just_ended_is_known_before_supervisord_has_seen_it(
    engine: LocalEngine, up: Callable[[], None], rules: Sequence[Object]
) -> None:
    up()
    slow = {"delay": {"fixedDelay": f"{SECONDS}s", "percentage": {"value": 100}}}
    engine.apply([changed(rules[-1], http=[{"fault": slow, **rules[-1].spec["http"][0]}])])
    (supervisor,) = processes(engine, "supervisord.conf")
    (proxy,) = processes(engine, "default.testclient")

    port = urlsplit(engine.proxy_url()).port

    def sends() -> bool:
        return any(
            link.status == psutil.CONN_ESTABLISHED and link.laddr.port == port
            for link in proxy.net_connections("tcp")
        )

    with ThreadPoolExecutor() as threads:
        supervisor.suspend()
        try:
            asked = threads.submit(lambda: list(engine.send(Request("http://app/"), 1, SECONDS)))
            waiting.until(sends, "the request", timeout=SECONDS)
            proxy.kill()
            with pytest.raises(BrokenOff, match="ended meanwhile"):
                asked.result()
        finally:
            supervisor.resume()


def test_what_pods_without_a_sidecar_opened_is_closed_soon(
    engine: LocalEngine, workloads: Sequence[Object]
) -> None:
    engine.apply(workloads)
    engine.wait_ready(workloads, SECONDS)
    assert set(count(engine, 400)) == {"v1", "v2"}
    (proxy,) = processes(engine, "kube-proxy")
    # Envoy itself would keep the connections for an hour.
    waiting.until(
        lambda: (
            not any(link.status == psutil.CONN_ESTABLISHED for link in proxy.net_connections("tcp"))
        ),
        "the end of the connections",
        timeout=SECONDS,
    )


def test_two_meshes_side_by_side_share_no_port_and_do_not_disturb_each_other(
    engine: LocalEngine, up: Callable[[], None], tmp_path: Path, workloads: Sequence[Object]
) -> None:
    other = LocalEngine(Settings(state_dir=tmp_path / "other"))
    try:
        up()
        objects = other.inject(workloads)
        other.apply(objects)
        other.wait_ready(objects, SECONDS)
        held = [set(ports.PortLocks(run_of(e), e.store.folder).held()) for e in (engine, other)]
        assert held[0]
        assert held[1]
        assert not held[0] & held[1]
        assert set(count(other)) == {"v1", "v2"}
    finally:
        assert all(check.ok for check in other.down())
    assert set(count(engine)) == {"v2"}


def test_a_port_that_a_stranger_took_is_replaced_on_the_next_up(
    engine: LocalEngine, up: Callable[[], None]
) -> None:
    up()
    planned = json.loads((engine.store.folder / "pods.json").read_text())["pods"]
    app, inbound = planned[0]["ports"][0]["app"], planned[1]["ports"][0]["inbound"]
    for process in orphans.of_run(run_of(engine)):
        process.kill()
    with socket.socket() as one, socket.socket() as two:
        for stranger, port in ((one, app), (two, inbound)):
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            waiting.until(partial(can_bind, stranger, port), "the port", timeout=60)
            stranger.listen()
        up()
        assert {pod.ready for pod in engine.pods()} == {"2/2"}
        assert set(count(engine)) == {"v2"}


def can_bind(taker: socket.socket, port: int) -> bool:
    try:
        taker.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_everything_listens_on_loopback_only(engine: LocalEngine, up: Callable[[], None]) -> None:
    up()
    found = orphans.of_run(run_of(engine))
    assert len(found) >= 7
    listening = [
        connection.laddr
        for process in found
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    low, high = ports.ephemeral_range()
    assert not [address for address in listening if low <= address.port <= high]


@pytest.mark.usefixtures("client")
def test_the_state_directory_is_closed_to_others_and_foreign_files_in_it_stay(
    settings: Settings, engine: LocalEngine
) -> None:
    assert settings.state_dir.stat().st_mode & 0o777 == 0o700
    foreign = settings.state_dir / "mine.txt"
    foreign.write_text("precious")
    assert all(check.ok for check in engine.down())
    assert [path.name for path in settings.state_dir.iterdir()] == ["mine.txt"]


def test_a_deep_state_directory_works(tmp_path: Path, workloads: Sequence[Object]) -> None:
    deep = LocalEngine(Settings(state_dir=tmp_path / ("a folder 100% deep " * 9) / "state"))
    try:
        objects = deep.inject(workloads)
        deep.apply(objects)
        deep.wait_ready(objects, SECONDS)
        run = deep.store.run()
        assert run
        assert len(os.fsencode(run.sockets)) < 80
        assert set(count(deep)) == {"v1", "v2"}
    finally:
        assert all(check.ok for check in deep.down())
    assert not Path(run.sockets).exists()


@pytest.mark.usefixtures("client")
def test_an_annotated_command_gets_its_words_ports_and_environment_unchanged(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_OF_THE_USER", "1")
    said: list[str] = []
    engine.notify = lambda text, **how: said.append(text) if how.get("always") else None
    objects = engine.inject(
        web(f"{sys.executable} server.py 127.0.0.1 {{port}} 'a; b' $HOME {{port:web}}")
    )
    engine.apply(objects)
    engine.wait_ready(objects, SECONDS)
    assert len(said) == 1
    assert "server.py" in said[0]
    (reply,) = engine.send(Request("http://web:8000/"), 1, SECONDS)
    seen = json.loads(reply.body)
    port = seen["env"]["PORT"]
    assert seen["argv"] == ["127.0.0.1", port, "a; b", "$HOME", port]
    assert seen["env"]["GREETING"] == "two words; $(HOME) # and 'quotes'\n100%"
    assert "SECRET_OF_THE_USER" not in seen["env"]


def test_a_command_that_listens_elsewhere_is_reported(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    monkeypatch.chdir(tmp_path)
    objects = web(f"{sys.executable} server.py 0.0.0.0 {{port}}")
    said: list[str] = []
    engine.notify = lambda text, **how: said.append(text) if how.get("always") else None
    engine.apply(objects)
    engine.wait_ready(objects, SECONDS)
    assert "listens on 0.0.0.0" in said[-1]
    (pod,) = engine.pods()
    assert pod.is_ready
    assert "0.0.0.0" in pod.message


@pytest.mark.parametrize("places", [" {port}", ""], ids=["with a port", "without a port"])
def test_a_command_that_keeps_ending_is_given_up_early_with_its_last_words(
    engine: LocalEngine, places: str
) -> None:
    objects = web(f"{sys.executable} -c 'raise SystemExit(\"no luck\")'{places}")
    if not places:
        objects = tuple(without_ports(item) for item in objects if item.kind == "Deployment")
    engine.apply(objects)
    began = time.monotonic()
    with pytest.raises(EnvironmentFailed, match="no luck"):
        engine.wait_ready(objects, SECONDS)
    assert time.monotonic() - began < SECONDS / 2
    (pod,) = engine.pods()
    assert not pod.is_ready
    assert "exit status 1" in pod.message
    assert "no luck" in pod.message


def without_ports(item: Object) -> Object:
    pod = item.pod_template["spec"]
    containers = [{**container, "ports": []} for container in pod["containers"]]
    return item.with_pod_template({**item.pod_template, "spec": {**pod, "containers": containers}})


def test_a_sidecar_that_keeps_ending_is_a_named_cause_for_whoever_waits_or_routes(
    engine: LocalEngine, up: Callable[[], None], workloads: Sequence[Object]
) -> None:
    up()
    runtime = engine._runtime()
    pod = next(pod for pod in runtime.planned().pods if pod.workload == "app-v1")
    socket_path = runtime.layout.sidecar(pod).socket
    socket_path.unlink()
    socket_path.mkdir()  # where its admin interface shall be
    for victim in processes(engine, f"{pod.name}/envoy/bootstrap.json"):
        victim.kill()
    # Started anew after the kill, it ends by itself: that is the cause, and the kill is not.
    waiting.until(
        lambda: any("exit status 1" in each.message for each in engine.pods()),
        "the sidecar to end again",
        timeout=SECONDS,
    )
    route = routing.route(engine, routing.Asked.read(["v1"], ()), engine.settings)
    with pytest.raises(EnvironmentFailed, match="the rules are live, but") as refusal:
        deque(route, maxlen=0)
    assert re.search(r"istio-proxy .* \(exit status 1\): ", refusal.value.message)
    assert f"cannot bind '{socket_path}'" in refusal.value.message
    deque(routing.route(engine, routing.Asked.read(["v2"], ()), engine.settings), maxlen=0)
    with pytest.raises(EnvironmentFailed, match="cannot bind"):
        engine.wait_ready(workloads, SECONDS)


@pytest.mark.parametrize("placeholder", ["{port:nowhere}", "{prt}", "{ports:web}"])
def test_a_placeholder_for_nothing_is_refused_with_its_place(
    engine: LocalEngine, placeholder: str
) -> None:
    with pytest.raises(InputError) as refusal:
        engine.apply(web(f"serve {placeholder}"))
    (problem,) = refusal.value.problems
    assert placeholder in problem.message
    assert problem.line
    assert not engine.store.folder.exists()


def test_one_command_at_a_time_changes_a_mesh_and_the_other_says_who_does(
    engine: LocalEngine, settings: Settings, workloads: Sequence[Object]
) -> None:
    impatient = LocalEngine(Settings(state_dir=settings.state_dir, timeout=0.2))
    with engine.store.locked("meshdemo apply", 1), pytest.raises(TimedOut) as refusal:
        impatient.apply(workloads)
    assert f"process {os.getpid()} (meshdemo apply)" in refusal.value.message


@pytest.mark.usefixtures("client")
def test_sigterm_is_enough_to_end_everything(engine: LocalEngine) -> None:
    found = orphans.of_run(run_of(engine))
    for supervisor in processes(engine, "supervisord.conf"):
        supervisor.send_signal(signal.SIGTERM)
    # Looking at the pods wakes supervisord, which sleeps up to a second at a time.
    waiting.until(
        lambda: not (engine.pods() and orphans.of_run(run_of(engine))),
        f"{len(found)} ends",
        timeout=60,
    )


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("text", ["", "[]", "{}", '{"engine": "local"}', "\0\0"], ids=repr)
def test_a_run_with_a_damaged_record_says_what_to_type_and_can_be_taken_down(
    engine: LocalEngine, text: str
) -> None:
    run, (sockets,) = run_of(engine), {Path(r.sockets) for r in [engine.store.run()] if r}
    (engine.store.folder / "run.json").write_text(text)
    with pytest.raises(EnvironmentFailed) as failure:
        engine.pods()
    assert "run.json" in failure.value.message
    assert "meshdemo down" in failure.value.hint
    assert all(check.ok for check in engine.down())
    assert not orphans.of_run(run)
    assert not engine.store.folder.exists()
    assert not sockets.exists()


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("ports_too", [False, True], ids=["folder", "folder-and-port-locks"])
def test_a_run_whose_folder_was_removed_by_hand_is_still_found_by_down(
    engine: LocalEngine, ports_too: bool
) -> None:
    run = run_of(engine)
    locks = ports.PortLocks(run, engine.store.folder)
    shutil.rmtree(engine.store.folder)
    if ports_too:
        locks.release(locks.held())
    assert all(check.ok for check in engine.down())
    assert not orphans.of_run(run)
    assert not locks.held()
    assert not engine.store.folder.exists()


@pytest.mark.parametrize("mode", [0o700, 0o755], ids=oct)
@pytest.mark.parametrize("files", [{}, {"run.json": "[]", "pods": "x", "lock": "y"}], ids=len)
def test_down_does_not_touch_a_folder_that_it_did_not_make(
    tmp_path: Path, mode: int, files: dict[str, str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=mode)
    for name, text in files.items():
        (folder / name).write_text(text)
    engine = LocalEngine(Settings(state_dir=folder))
    if files:
        with pytest.raises(EnvironmentFailed, match=r"run\.json is not a record"):
            engine.down()
    else:
        assert all(check.ok for check in engine.down())
    assert {path.name: path.read_text() for path in folder.iterdir()} == files
    assert folder.stat().st_mode & 0o777 == mode


@contextmanager
def waited_for_in_vain(engine: LocalEngine) -> Iterator[Future[None]]:
    """Apply a pod that never listens, and wait for it in a thread."""
    silent = web(f"{sys.executable} -c 'import time; time.sleep(600)' {{port}}")
    engine.apply(silent)
    with ThreadPoolExecutor() as pool:
        wait = pool.submit(engine.wait_ready, silent, SECONDS)
        time.sleep(0.2)
        yield wait


def test_a_wait_for_pods_that_another_command_replaced_waits_for_the_new_ones(
    engine: LocalEngine, settings: Settings
) -> None:
    with waited_for_in_vain(engine) as wait:
        LocalEngine(settings).apply(web(f"{sys.executable} -m http.server -b 127.0.0.1 {{port}}"))
        wait.result(SECONDS / 2)


def test_a_wait_for_pods_that_another_command_took_down_ends_at_once(
    engine: LocalEngine, settings: Settings
) -> None:
    with waited_for_in_vain(engine) as wait:
        assert all(check.ok for check in LocalEngine(settings).down())
        with pytest.raises(EnvironmentFailed, match=r"meshdemo up|no mesh"):
            wait.result(SECONDS / 2)
    assert not engine.store.folder.exists()


def test_where_supervisord_ends_while_new_pods_are_awaited_apply_starts_it_again(
    engine: LocalEngine, deploy: Callable[..., None], workloads: Sequence[Object]
) -> None:
    deploy(*workloads)
    supervisors = processes(engine, "supervisord.conf")
    silent = web(f"{sys.executable} -c 'import time; time.sleep(600)' {{port}}")
    with ThreadPoolExecutor() as pool:
        apply = pool.submit(engine.apply, silent)
        waiting.until(lambda: processes(engine, "time.sleep(600)"), "the new pod", timeout=SECONDS)
        for supervisor in supervisors:
            supervisor.kill()
        apply.result(SECONDS)
    waiting.until(lambda: [p.name[:3] for p in engine.pods() if not p.is_ready] == ["web"],
                  "all but the new pod", timeout=SECONDS)  # fmt: skip
    assert set(count(engine)) == {"v1", "v2"}


def test_pods_whose_folders_were_removed_are_started_again(
    engine: LocalEngine,
    deploy: Callable[..., None],
    workloads: Sequence[Object],
    rules: Sequence[Object],
) -> None:
    deploy(*engine.inject(workloads))
    for removed in ("pods", "pods/*/envoy"):
        for folder in list(engine.store.folder.glob(removed)):
            shutil.rmtree(folder)
        deploy(*rules)
        wait_until_ready(engine)
        assert set(count(engine)) == {"v2"}, removed
        engine.delete(rules)


def test_on_a_dead_mesh_nobody_waits_and_nothing_is_sent(
    engine: LocalEngine, up: Callable[[], None], rules: Sequence[Object]
) -> None:
    up()

    def end(part: str) -> bool:
        """Kill them until none is left: supervisord may start one again before it dies itself."""
        for victim in processes(engine, part):
            victim.kill()
        return not processes(engine, part)

    waiting.until(partial(end, "supervisord.conf"), "its end", timeout=60)
    with pytest.raises(EnvironmentFailed) as failure:
        engine.wait_ready(rules, SECONDS)
    assert "meshdemo up" in failure.value.hint
    assert set(count(engine)) == {"v2"}
    port = urlsplit(engine.proxy_url()).port or 0
    waiting.until(partial(end, ""), "the end of all", timeout=60)
    # What ends lets go of its ports last.
    waiting.until(lambda: not ports.is_listening(port), "the end of its port", timeout=60)
    with pytest.raises(EnvironmentFailed) as failure:
        engine.wait_ready(rules, SECONDS)
    assert "meshdemo up" in failure.value.hint
    with pytest.raises(EnvironmentFailed, match="does not run"):
        count(engine)
