"""What every engine does, seen only through the Engine protocol."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.conftest import CLUSTER_SECONDS, changed

from meshdemo.engines.options import Injection
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.objects import reading
from meshdemo.system import waiting
from meshdemo.verdict.traffic import Request
from meshdemo.walkthrough.plan import with_sidecar_label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object

    Deploy = Callable[..., None]
    Answers = Callable[..., Counter[str]]

VERSIONS = {"v1", "v2"}
TO_SUBSET = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [app]
  http: [{{route: [{{destination: {{host: app, subset: {subset}}}}}]}}]
"""


def read(engine: Engine, folder: Path, text: str) -> tuple[Object, ...]:
    file = folder / "given.yaml"
    file.write_text(text)
    return reading.read([str(file)], namespace=engine.where.namespace)


def names(engine: Engine) -> list[str]:
    return sorted(pod.name for pod in engine.pods())


def templates(engine: Engine) -> list[str]:
    """Give the pods by what they are made from: a cluster ends their names by chance."""
    if engine.where.engine == "local":
        return names(engine)
    return [name.rpartition("-")[0] for name in names(engine)]


def ready(engine: Engine) -> set[str]:
    return {pod.ready for pod in engine.pods()}


def pick(objects: Sequence[Object], name: str) -> Object:
    return next(item for item in objects if item.kind == "Deployment" and item.name == name)


def test_without_a_mesh_there_is_nothing_to_see_and_nothing_to_send_from(engine: Engine) -> None:
    assert engine.objects() == ()
    assert engine.pods() == ()
    with pytest.raises(EnvironmentFailed, match=r"there is no (mesh|test client)") as failure:
        engine.send(Request(), 1, 10)
    assert "meshdemo up" in failure.value.hint


def test_a_dry_run_says_what_would_happen_and_does_nothing(
    engine: Engine, workloads: Sequence[Object]
) -> None:
    applied = engine.apply(workloads, dry_run=True)
    assert {change.action for change in applied.changes} == {"created"}
    assert engine.objects() == ()


def test_rules_are_in_force_when_the_wait_returns_and_gone_after_their_deletion(
    engine: Engine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Deploy,
    answers: Answers,
) -> None:
    deploy(*engine.inject(workloads))
    assert ready(engine) == {"2/2"}
    assert set(answers()) == VERSIONS
    for _ in range(3):
        deploy(*rules)
        assert set(answers()) == {"v2"}
        assert {change.action for change in engine.delete(rules)} == {"deleted"}
        assert set(answers()) == VERSIONS
    assert engine.delete(rules) == ()


def test_a_client_without_sidecar_does_not_follow_the_rules_until_it_is_injected(
    engine: Engine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Deploy,
    answers: Answers,
) -> None:
    deploy(*workloads, *rules)
    assert ready(engine) == {"1/1"}
    assert set(answers()) == VERSIONS
    stored = [item for item in engine.objects() if item.kind == "Deployment"]
    deploy(*engine.inject(stored))
    assert ready(engine) == {"2/2"}
    assert set(answers()) == {"v2"}


def test_a_sidecar_stays_when_the_workload_is_applied_as_it_was_written(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy
) -> None:
    app = [pick(workloads, "app-v1")]
    deploy(*engine.inject(app))
    before = templates(engine)
    deploy(*app)
    assert (templates(engine), ready(engine)) == (before, {"2/2"})
    deploy(*engine.inject(app, Injection.NONE))
    assert ready(engine) == {"1/1"}
    deploy(*engine.inject(app))
    assert (templates(engine), ready(engine)) == (before, {"2/2"})


def test_a_webhooks_sidecar_stays_when_the_workload_is_applied_as_it_was_written(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy
) -> None:
    app = pick(workloads, "app-v1")
    deploy(*engine.inject([with_sidecar_label(app)], Injection.AUTO))
    before = templates(engine)
    deploy(app)
    assert (templates(engine), ready(engine)) == (before, {"2/2"})


def test_three_orders_end_in_the_same_pods_and_the_same_answers(
    engine: Engine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Deploy,
    answers: Answers,
    tmp_path: Path,
) -> None:
    def by_up() -> None:
        deploy(*engine.inject(workloads))
        deploy(*rules)

    def by_steps() -> None:
        deploy(*workloads)
        deploy(*engine.inject(engine.objects()))
        deploy(*rules)

    def by_pipe() -> None:
        deploy(*read(engine, tmp_path, reading.dump(engine.inject([*workloads, *rules]))))

    ends = []
    for order in (by_up, by_steps, by_pipe):
        order()
        ends.append((templates(engine), ready(engine), answers()))
        assert all(check.ok for check in engine.down())
    assert ends[0] == ends[1] == ends[2]


def test_a_missing_subset_answers_503_with_an_empty_body(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy, tmp_path: Path
) -> None:
    deploy(*engine.inject([item for item in workloads if item.name in ("app", "testclient")]))
    objects = read(engine, tmp_path, TO_SUBSET.format(name="nowhere", subset="v9"))
    applied = engine.apply(objects)
    engine.wait_ready(objects, CLUSTER_SECONDS)
    assert [warning.code for warning in applied.warnings] == ["IST0101"]
    assert applied.warnings[0].line
    (reply,) = engine.send(Request(), 1, CLUSTER_SECONDS)
    assert (reply.status, reply.body) == (503, "")


def test_of_two_rules_for_one_host_the_older_one_takes_precedence_and_a_warning_names_both(
    engine: Engine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Deploy,
    answers: Answers,
    tmp_path: Path,
) -> None:
    deploy(*engine.inject([*workloads, *rules]))
    newer = read(engine, tmp_path, TO_SUBSET.format(name="zebra", subset="v1"))
    (warning,) = engine.apply(newer).warnings
    engine.wait_ready(newer, CLUSTER_SECONDS)
    assert (warning.code, warning.subject) == ("IST0109", newer[0].title)
    assert f"{rules[-1].title} takes precedence" in warning.hint
    assert set(answers()) == {"v2"}


def test_http_rules_for_a_port_that_takes_none_are_warned_of_and_not_waited_for(
    engine: Engine,
    workloads: Sequence[Object],
    rules: Sequence[Object],
    deploy: Deploy,
    answers: Answers,
) -> None:
    ports = [{"name": "tcp", "port": 80, "targetPort": 80}]
    opaque = [changed(i, ports=ports) if i.kind == "Service" else i for i in workloads]
    deploy(*engine.inject(opaque))
    warnings = engine.apply(rules).warnings
    engine.wait_ready(rules, CLUSTER_SECONDS)
    assert [each.subject for each in warnings] == [rules[-1].title]
    assert "only 80 (TCP)" in warnings[0].message
    began = time.monotonic()
    # Whether an app listens that need not speak HTTP no engine can see.
    while "connection reset" in (found := answers()) and time.monotonic() - began < 60:
        pass
    assert set(found) == VERSIONS


def test_what_is_applied_again_or_has_any_mistake_changes_nothing(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy
) -> None:
    deploy(*workloads)
    pods = names(engine)
    applied = engine.apply(workloads)
    assert {change.action for change in applied.changes} == {"unchanged"}
    assert names(engine) == pods
    before = engine.objects(), pods
    bad = changed(pick(workloads, "app-v1"), replicas="two", colour="blue")
    good = changed(pick(workloads, "app-v2"), replicas=2)
    with pytest.raises(InputError) as refusal:
        engine.apply([good, bad])
    assert {"replicas", "colour"} <= {p.field.rpartition(".")[2] for p in refusal.value.problems}
    assert (engine.objects(), names(engine)) == before


def test_a_changed_template_rolls_out_while_every_request_is_answered(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy, answers: Answers
) -> None:
    deploy(*engine.inject(workloads))
    seen: Counter[str] = Counter()
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            seen.update(answers(20))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        app = pick(engine.objects(), "app-v1")
        text = reading.dump([app]).replace("value: v1", "value: v1b")
        problems: list[Any] = []
        deploy(*reading.parse(text, "changed.yaml", problems))
        assert not problems
    finally:
        done.set()
        asking.join()
    # The app has no readiness probe: on a cluster it is asked a second before it listens.
    starting = {"HTTP 503"} if engine.where.engine == "cluster" else set()
    assert set(seen) <= {"v1", "v2", "v1b"} | starting
    assert set(answers()) == {"v1b", "v2"}


def test_replicas_are_honoured_up_and_down(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy
) -> None:
    app, other = pick(workloads, "app-v1"), pick(workloads, "testclient")
    deploy(app, other)
    before = templates(engine)
    deploy(changed(app, replicas=3))
    assert len(templates(engine)) == len(before) + 2
    deploy(changed(app, replicas=0))
    assert templates(engine) == [name for name in before if not name.startswith("app-v1")]
    deploy(app)
    assert templates(engine) == before


@pytest.mark.usefixtures("client")
def test_a_command_runs_in_the_test_client_and_its_status_comes_back(engine: Engine) -> None:
    assert engine.exec(["sh", "-c", "exit 7"]) == 7
    assert engine.exec(["no-such-command"]) == 127
    assert engine.exec(["/"]) == 126


def test_the_log_of_a_container_can_be_read(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy, answers: Answers
) -> None:
    deploy(*engine.inject([item for item in workloads if item.name != "app-v2"]))
    answers(20)
    pod = next(pod for pod in engine.pods() if pod.workload == "app-v1")
    waiting.until(lambda: list(engine.logs(pod.name, "app")), "the first line", timeout=60)
    assert len(list(engine.logs(pod.name, "app", tail=1))) == 1
    assert list(engine.logs(pod.name, "app", tail=0)) == []
    for name, container, missing in (("moon", "app", "pod"), (pod.name, "moon", "container")):
        with pytest.raises(EnvironmentFailed, match=f"no {missing} moon"):
            list(engine.logs(name, container))


def test_down_leaves_nothing_and_can_be_repeated(
    engine: Engine, workloads: Sequence[Object], deploy: Deploy
) -> None:
    deploy(*engine.inject([pick(workloads, "app-v1")]))
    for _ in range(2):
        checks = list(engine.down())
        assert checks
        assert all(check.ok for check in checks)
        assert engine.pods() == ()
