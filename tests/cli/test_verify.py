from __future__ import annotations

import io
import re
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml
from tests.objects import manifest, route, to
from tests.printed import read_record

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.results import Where
from meshdemo.errors import BrokenOff, EnvironmentFailed, MeshdemoError, Sigterm, TimedOut
from meshdemo.report.progress import Progress
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Cli, FakeEngine


def test_met_is_0_with_its_evidence(meshed: Cli) -> None:
    ended = meshed("verify", "--expect", "v2=100%")
    assert ended.code == 0
    assert "459 answers" in ended.out
    assert "expectation v2=100%: met (local engine, namespace default)" in ended.out


def test_not_met_is_1(meshed: Cli) -> None:
    ended = meshed("verify", "--expect", "v1=100%", "-o", "json")
    assert (ended.code, ended.json["exitCode"]) == (1, 1)
    assert ended.json["verdict"] == "not met"
    assert ended.json["tally"]["versions"] == {"v1": 0, "v2": 20}, "one look is enough"
    every = meshed("verify", "--expect", "v1=100%", "--requests", "100", "-o", "json")
    assert (every.code, every.json["tally"]["total"]) == (1, 100)


def test_the_cause_has_a_line_of_its_own_and_a_key(meshed: Cli) -> None:
    ended = meshed("verify", "--expect", "v1=100%")
    (line,) = (line for line in ended.out.splitlines() if line.startswith("cause: "))
    assert "the rules promise v2=100%, and v1=100% is expected" in line
    (cause,) = meshed("verify", "--expect", "v1=100%", "-o", "json").json["causes"]
    assert (cause["name"], cause["verified"]) == ("rules-say-otherwise", True)
    assert cause["place"]["object"] == "VirtualService default/app-default-v2"
    assert meshed("verify", "--expect", "v2=100%", "-o", "json").json["causes"] == []


def test_a_fix_routes_to_versions_alone(meshed: Cli) -> None:
    ended = meshed("verify", "--expect", "error=100%")
    assert "fix: change the weights, or: " in ended.out
    assert "meshdemo route" not in ended.out


class Unicode(io.StringIO):
    """A stream that says that it takes any character."""

    encoding = "utf-8"


def test_the_cause_is_in_the_readers_language_and_json_is_english(
    meshed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*argv: str) -> str:
        out, err = Unicode(), Unicode()
        run = Invocation(open_engine=meshed.open, progress=Progress.on(out, err))
        main(["verify", "--state-dir", str(meshed.state), *argv], invocation=run)
        return out.getvalue() + err.getvalue()

    wrong = ("--expect", "v1=100%")
    english = meshed("verify", *wrong, "-o", "json").json["causes"]
    chinese = shown(*wrong, "--lang", "zh")
    assert "原因：VirtualService default/app-default-v2" in chinese
    assert "规则承诺的是 v2=100%，而期望的是 v1=100%" in chinese
    assert "  解决办法：" in chinese
    # All but the verdict's own line, which scripts look for.
    assert "\nexpectation v1=100%: not met (" in chinese
    assert "  v1：20 个响应中有 0 个，占 0 %，期望 100 %\n" in chinese
    assert "  v2：459 个响应中有 459 个，占 100 %，期望 100 %\n" in shown("--lang", "zh")
    assert "有 99 % 的把握会被发现\n" in shown("--lang", "zh")
    assert "cause: " in meshed("verify", *wrong, "--lang", "zh").out, "it cannot show Chinese"
    assert "  --url: 无法请求 'ftp://app'：它不以 http:// 或" in shown(
        "--url", "ftp://app", "--lang", "zh"
    )
    monkeypatch.setenv("MESHDEMO_LANG", "zh")
    assert "原因：" in shown(*wrong)
    assert "cause: " in shown(*wrong, "--lang", "en")
    assert meshed("verify", *wrong, "-o", "json").json["causes"] == english
    meshed("delete", "dr", "app")
    refused = "".join(shown().split())  # a cluster's names may make its lines long enough to break
    assert "规则没有承诺任何版本：没有DestinationRule定义Servicedefault/app的子集v2" in refused
    assert '的DestinationRule中没有子集"v2"；它没有DestinationRule；在app' in refused


def test_the_rules_in_force_are_named_with_file_and_line(meshed: Cli, tmp_path: Path) -> None:
    file = tmp_path / "v1.yaml"
    ruled(meshed, file, http=[route(to("v1"))])
    first, second = meshed("verify", "-o", "json").json["rulesInForce"]
    assert (first["object"], first["field"]) == (
        "VirtualService default/app-default-v2",
        "spec.http[0]",
    )
    assert (first["file"], first["line"]) == (str(file), 10)
    assert (second["object"], second["field"]) == (
        "DestinationRule default/app",
        "spec.subsets[0]",
    )
    file.unlink()
    first, _ = meshed("verify", "-o", "json").json["rulesInForce"]
    assert (first["file"], first["line"]) == (None, None)


def test_rules_that_are_not_live_are_the_cause(meshed: Cli) -> None:
    meshed.engine.fails["wait rules"] = TimedOut("the sidecar has not got them")
    meshed.engine.replies = lambda count: iter([Reply(200, "v1")] * count)
    (cause,) = meshed("verify", "--expect", "v2=100%", "-o", "json").json["causes"]
    assert cause["name"] == "configuration-not-live"
    assert cause["evidence"] == ["the sidecar has not got them"]


def test_what_nothing_proves_is_a_guess_of_the_analyzers_or_not_named(meshed: Cli) -> None:
    meshed.engine.replies = lambda count: iter([Reply(200, "v1")] * count)
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    found = {(cause["name"], cause["verified"]) for cause in ended.json["causes"]}
    assert (ended.json["verdict"], found) == ("not met", {("analyzer-finds", False)})
    meshed.engine.finds_odd = False
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.json["verdict"], ended.json["causes"]) == ("not met", [])


@pytest.mark.parametrize(
    ("argv", "count"),
    [
        (("--expect", "v1=50%,v2=50%"), 1000),
        (("--expect", "v2=100%"), 459),
        ((), 1000),
        (("--requests", "7"), 7),
    ],
    ids=str,
)
def test_what_is_explained_is_what_a_person_would_type_who_does_not_look_in_between(
    meshed: Cli, argv: tuple[str, ...], count: int
) -> None:
    meshed("route", "v1=50", "v2=50")
    ended = meshed("verify", "--explain", "-o", "json", *argv)
    assert f"seq {count})" in ended.err


def test_an_incomplete_sample_is_4(meshed: Cli) -> None:
    meshed.engine.replies = lambda count: iter([Reply(200, "v2")] * (count - 1))
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.code, ended.json["verdict"]) == (4, "inconclusive")


def test_a_measurement_that_breaks_off_keeps_its_answers_and_says_why(meshed: Cli) -> None:
    def replies(_: int) -> Iterator[Reply]:
        yield from [Reply(200, "v2")] * 7
        raise BrokenOff("the client went away")

    meshed.engine.replies = replies
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.code, ended.json["verdict"]) == (4, "inconclusive")
    assert ended.json["measurement"]["brokenOff"] == "the client went away"
    assert ended.json["tally"]["total"] == 7
    assert ended.json["evidence"] == [
        "7 answers came back before the measurement broke off: the client went away"
    ]


@pytest.mark.parametrize(("signal_", "code"), [(KeyboardInterrupt(), 130), (Sigterm(), 143)])
@pytest.mark.parametrize("command", ["verify", "up"])
def test_a_signal_leaves_the_counts_so_far(
    deployed: Cli, command: str, signal_: BaseException, code: int
) -> None:
    def replies(_: int) -> Iterator[Reply]:
        yield from [Reply(200, "v1")] * 7
        raise signal_

    deployed.engine.replies = replies
    ended = deployed(command, "-q")
    assert ended.code == code
    title, v1, v2 = ended.out.splitlines()
    assert title == f"7 {'' if command == 'verify' else 'of 200 '}answers until then:"
    assert (v1.split()[0], v1.split()[-3:]) == ("v1", ["7", "100.0", "%"])
    assert (v2.split()[0], v2.split()[-3:]) == ("v2", ["0", "0.0", "%"])
    assert "expectation" not in ended.out
    document = deployed(command, "-o", "json").json
    assert document["exitCode"] == code
    assert document["tally"] == {"total": 7, "versions": {"v1": 7, "v2": 0}, "others": {}}
    assert "verdict" not in document


def test_a_signal_after_the_measurement_has_no_counts(meshed: Cli) -> None:
    assert meshed("verify", "--expect", "v2=100%").code == 0
    meshed.engine.fails["pods"] = KeyboardInterrupt()
    ended = meshed("verify")
    assert (ended.code, ended.out) == (130, "")


def test_the_timeout_bounds_the_measurement(meshed: Cli) -> None:
    meshed("verify", "--timeout", "7s")
    assert meshed.engine.send_timeout == 7
    meshed("up", "--timeout", "8s")
    assert meshed.engine.send_timeout == 8


def test_errors_stay_in_the_denominator(meshed: Cli) -> None:
    meshed.engine.replies = lambda count: iter([Reply(503)] * 5 + [Reply(200, "v2")] * (count - 5))
    document = meshed("verify", "--expect", "v2=90%", "--requests", "50", "-o", "json").json
    assert document["exitCode"] == 1
    assert document["tally"] == {
        "total": 50,
        "versions": {"v1": 0, "v2": 45},
        "others": {"HTTP 503": 5},
    }


def test_without_an_expectation_it_is_what_the_rules_promise(meshed: Cli) -> None:
    assert meshed("route", "v1=50", "v2=50").code == 0
    document = meshed("verify", "-o", "json").json
    assert document["verdict"] == "met"
    assert document["requests"] == document["tally"]["total"] < document["rule"]["maxRequests"]
    assert document["expectation"] == {
        "text": "v1=50%,v2=50%",
        "shares": {"v1": 0.5, "v2": 0.5},
        "fromRules": True,
    }


@pytest.mark.parametrize("error", [TimedOut("it is slow"), EnvironmentFailed("it is dead")])
def test_rules_that_are_not_live_are_measured_anyway(meshed: Cli, error: MeshdemoError) -> None:
    meshed.engine.fails["wait rules"] = error
    ended = meshed("verify", "--wait", "1s", "-o", "json")
    assert ended.code == 0
    assert ended.json["convergence"]["live"] is False
    assert ended.json["convergence"]["cause"] == error.message
    # How long it really waited: a failure may come at once.
    assert f"not live after 0.0 s: {error.message}" in ended.err
    assert meshed.engine.timeout == pytest.approx(300, abs=60)  # less what applying took


def test_it_starts_nothing_and_says_what_to_type(cli: Cli) -> None:
    ended = cli("verify")
    assert ended.code == 3
    assert "meshdemo up" in ended.err
    assert set(cli.engine.calls) <= {"pods"}


@pytest.mark.parametrize(
    ("broken", "code"), [("testclient", 3), ("app-v2", 1)], ids=["the client", "an app"]
)
def test_a_test_client_that_is_down_is_no_verdict_on_the_mesh(
    meshed: Cli, broken: str, code: int
) -> None:
    meshed.engine.broken_pod = broken
    meshed.engine.replies = lambda count: iter([Reply(error="connection refused")] * count)
    ended = meshed("verify", "--expect", "v2=100%")
    assert ended.code == code
    assert ("meshdemo up" in ended.err) is (code == 3)


def test_answers_that_failed_by_way_of_a_client_that_is_not_ready_prove_nothing(
    meshed: Cli,
) -> None:
    meshed.engine.broken_pod = "testclient"
    meshed.engine.replies = lambda count: iter([Reply(503)] * count)
    ended = meshed("verify", "--expect", "v2=100%")
    assert ended.code == 4
    assert "the test client testclient-abc is not ready: it crashed" in ended.out


def midway(engine: FakeEngine, act: Callable[[], object], *after: Reply) -> None:
    """Have something happen when half of the answers have come; then come these ones."""

    def replies(count: int) -> Iterator[Reply]:
        yield from [Reply(200, "v2")] * (count // 2)
        act()
        yield from islice(cycle(after or [Reply(200, "v2")]), count - count // 2)

    engine.replies = replies


OTHER = """
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {ports: [{port: 80, name: http}]}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: other}
spec: {hosts: [other], http: [{route: [{destination: {host: other}}]}]}
"""


@pytest.mark.parametrize("then", [Reply(200, "v2"), Reply(200, "v1"), Reply(503)], ids=str)
@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("route", "v1"), "VirtualService default/app-default-v2 was changed"),
        (("route", "--clear"), "VirtualService default/app-default-v2 was removed"),
        (("route", "--clear"), "DestinationRule default/app was removed"),
    ],
    ids=str,
)
def test_rules_that_change_while_it_measures_make_it_inconclusive(
    meshed: Cli, argv: tuple[str, ...], what: str, then: Reply
) -> None:
    midway(meshed.engine, lambda: meshed(*argv), then)
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.code, ended.json["verdict"]) == (4, "inconclusive")
    assert what in ended.json["measurement"]["disturbed"]
    said = f"{ended.json['tally']['total']} answers came back and prove nothing: "
    assert ended.json["evidence"] == [said + ended.json["measurement"]["disturbed"]]


ENTRY = "{hosts: [app.default.svc.cluster.local], resolution: NONE}"


@pytest.mark.parametrize(
    ("kind", "spec"), [("Sidecar", '{egress: [{hosts: ["./*"]}]}'), ("ServiceEntry", ENTRY)]
)
def test_so_does_what_decides_on_the_clients_reach(
    meshed: Cli, tmp_path: Path, kind: str, spec: str
) -> None:
    head = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: new}}\n"
    (tmp_path / "new.yaml").write_text(f"{head}spec: {spec}\n")
    midway(meshed.engine, lambda: meshed("deploy", "-f", str(tmp_path / "new.yaml")), Reply())
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.code, ended.json["verdict"]) == (4, "inconclusive")
    assert f"{kind} default/new was " in ended.json["measurement"]["disturbed"]


@pytest.mark.parametrize("then", [Reply(200, "v2"), Reply(200, "v1")], ids=str)
def test_rules_for_other_requests_and_pods_may_change_meanwhile(
    meshed: Cli, tmp_path: Path, then: Reply
) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    midway(meshed.engine, lambda: meshed("deploy", "-f", str(tmp_path / "other.yaml")), then)
    code = 0 if then.body == "v2" else 1
    assert meshed("verify", "--expect", "v2=100%").code == code
    assert len(meshed.engine.applied) > 7


@pytest.mark.parametrize(
    ("then", "broken", "code"),
    [
        (Reply(error="connection reset"), "testclient", 4),
        (Reply(503), "testclient", 4),
        (Reply(200, "v2"), "testclient", 0),
        (Reply(200, "v1"), "testclient", 1),
        (Reply(503), "app-v2", 1),
    ],
    ids=str,
)
def test_a_test_client_that_breaks_down_meanwhile_proves_nothing(
    meshed: Cli, then: Reply, broken: str, code: int
) -> None:
    midway(meshed.engine, lambda: setattr(meshed.engine, "broken_pod", broken), then)
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert ended.code == code
    said = "the test client testclient-abc was started again meanwhile"
    assert ended.json["measurement"]["disturbed"] == (said if code == 4 else None)


def test_without_a_test_client_it_says_so(deployed: Cli) -> None:
    del deployed.engine.applied["apps", "Deployment", "default", "testclient"]
    ended = deployed("verify")
    assert ended.code == 3
    assert "no test client" in ended.err


@pytest.mark.parametrize("expect", ["v1=60%,v2=60%", "v1", "", "v1=x"])
def test_an_expectation_that_cannot_be_is_bad_input(meshed: Cli, expect: str) -> None:
    assert meshed("verify", "--expect", expect).code == 2
    assert meshed.engine.calls == []


@pytest.mark.parametrize(
    "argv",
    [("--requests", "0"), ("--requests", "x"), ("--wait", "soon"), ("--timeout", "0"),
     ("--timeout", "0s"), ("--url", "https://app/"), ("--url", "app"),
     ("--header", "no colon"), ("--header", "x y: z"), ("--header", ": z"), ("--header", "x: \n"),
     ("--url", "http://[::1"), ("--url", "http://app:99999/"), ("--url", "http://app\u2100/"),
     ("--method", "GE T"), ("--method", "GÉT"), ("--method", "head"), ("--method", "CONNECT"),
     ("--junit", "no/such/folder.xml"), ("--junit", "."), ("--record", "no/such/folder.jsonl"),
     ("--record", "."), ("--record", "one.file", "--junit", "one.file"),
     ("--html", "."), ("--html", ""), ("--html", "-"), ("--junit", "-"), ("--record", ""),
     ("--html", "one.file", "--record", "one.file")],
    ids=str,
)  # fmt: skip
def test_options_that_make_no_sense_are_refused_before_anything_is_sent(
    meshed: Cli, argv: tuple[str, ...]
) -> None:
    ended = meshed("verify", *argv)
    assert ended.code == 2
    assert argv[0] in ended.err
    assert meshed.engine.calls == []


def test_the_request_is_sent_as_asked(meshed: Cli) -> None:
    argv = ("--url", "http://app/x", "-H", "user: anna", "-H", "a:b", "--method", "post")
    assert meshed("verify", "--expect", "v2=100%", *argv).code == 0
    request = meshed.engine.request
    assert (request.url, request.method) == ("http://app/x", "POST")
    assert request.headers == (("user", "anna"), ("a", "b"))


@pytest.mark.parametrize(
    ("where", "classname"),
    [
        (Where("local", "/home/anna/.local/state/meshdemo", "default"), "meshdemo.local.default"),
        (
            Where("cluster", "arn:aws:eks:eu-1:1:cluster/a.b", "default", "https://10.0.0.1"),
            "meshdemo.cluster.arn_aws_eks_eu-1_1_cluster_a_b.default",
        ),
    ],
    ids=["local", "cluster"],
)
def test_junits_classname_names_the_mesh_and_holds_no_path(
    meshed: Cli, tmp_path: Path, where: Where, classname: str
) -> None:
    meshed.engine.where = where
    meshed("verify", "--expect", "v2=100%", "--junit", str(tmp_path / "junit.xml"))
    cases = ET.parse(tmp_path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - our own
    assert {case.get("classname") for case in cases} == {classname}


@pytest.mark.parametrize(
    ("argv", "count", "tags"),
    [
        (("v2=100%",), 459, {"v1=0%": "system-out", "v2=100%": "system-out"}),
        (("v1=50%,v2=50%",), 40, {"v1=50%": "failure", "v2=50%": "failure"}),
        (("v1=100%",), 20, {"v1=100%": "failure", "v2=0%": "failure"}),
        (("v2=100%", "--max-requests", "9"), 9, {"v1=0%": "error", "v2=100%": "error"}),
    ],
    ids=str,
)
def test_junit_has_a_case_for_each_share_and_one_for_errors(
    meshed: Cli, tmp_path: Path, argv: tuple[str, ...], count: int, tags: dict[str, str]
) -> None:
    file = tmp_path / "junit.xml"
    meshed("verify", "--expect", *argv, "--junit", str(file))
    suite = ET.parse(file).getroot()  # noqa: S314 - it is our own file
    names = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert (names["engine"], names["namespace"]) == ("local", "default")
    found = {
        (case.get("name") or "").partition(" ")[2]: [child.tag for child in case]
        for case in suite.iter("testcase")
    }
    (errors,) = found.pop("error=0%")
    # Too few answers to rule out a share of errors, where something else has decided.
    assert errors == {459: "system-out", 9: "error"}.get(count, "skipped")
    assert found == {name: [tag] for name, tag in tags.items()}
    counted = [tag for each in found.values() for tag in each] + [errors]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        str(len(counted)),
        *(str(counted.count(tag)) for tag in ("failure", "error", "skipped")),
    ]


def ruled(cli: Cli, file: Path, **spec: object) -> None:
    """Apply another VirtualService in place of the walkthrough's, from a file."""
    rule = manifest("VirtualService", "app-default-v2", "default")
    file.write_text(yaml.safe_dump({**rule, "spec": {"hosts": ["app"], **spec}}))
    assert cli("route", "-f", str(file)).code == 0


def test_junit_says_in_which_file_and_line_the_cause_is(meshed: Cli, tmp_path: Path) -> None:
    ruled(meshed, tmp_path / "rule.yaml", http=[route(to("v2"))])
    argv = ("--expect", "v1=100%", "--junit", str(tmp_path / "junit.xml"), "-o", "json")
    (cause,) = meshed("verify", *argv).json["causes"]
    suite = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - it is our own file
    failed = [case for case in suite.iter("testcase") if case.find("failure") is not None]
    assert len(failed) == 2
    for case in failed:
        assert case.get("file") == cause["place"]["file"] == str(tmp_path / "rule.yaml")
        assert case.get("line") == str(cause["place"]["line"]) == "10"
        text = case.findtext("failure") or ""
        assert f"cause: {tmp_path}/rule.yaml:10: VirtualService default/app-default-v2" in text
        assert f"fix: {cause['fix']}" in text
    others = [case for case in suite.iter("testcase") if case not in failed]
    assert others
    assert not [case for case in others if case.get("file")]


@pytest.mark.parametrize(
    ("http", "field", "line", "said"),
    [
        (
            [{"match": [{"uri": {"prefix": "/x"}}], **route(to("v2"))}],
            "spec.http[0].match",
            10,
            ("what differs: uri is '/env/version'", "correct the match"),
        ),
        (
            [route(to("v9"))],
            "spec.http[0].route[0].destination.subset",
            13,
            ("its subsets are v1, v2", 'add the subset "v9"'),
        ),
    ],
    ids=["no rule matches", "no such subset"],
)
def test_where_the_rules_promise_nothing_the_cause_is_named_and_nothing_sent(
    meshed: Cli, tmp_path: Path, http: list[object], field: str, line: int, said: tuple[str, str]
) -> None:
    file = tmp_path / "rule.yaml"
    ruled(meshed, file, http=http)
    ended = meshed("verify", "-o", "json")
    assert ended.code == 2
    assert "send" not in meshed.engine.calls
    (problem,) = ended.json["error"]["problems"]
    assert (problem["file"], problem["line"], problem["field"]) == (str(file), line, field)
    assert said[0] in problem["message"]
    assert problem["hint"].startswith(said[1])
    assert f"  {file}:{line}: VirtualService default/app-default-v2 {field}: " in (
        meshed("verify").err
    )


def test_where_the_rules_promise_nothing_and_no_place_is_to_blame_none_is(meshed: Cli) -> None:
    ended = meshed("verify", "--url", "http://nobody/", "-o", "json")
    assert (ended.code, ended.json["error"]["problems"]) == (2, [])


@pytest.mark.parametrize(
    ("argv", "name", "figures"),
    [
        ((), "sequential", (0.05, 0.01, 0.01, 4598)),
        (("--margin", "10", "--error-rate", "5%"), "sequential", (0.1, 0.05, 0.01, 744)),
        (("--max-requests", "100"), "sequential", (0.05, 0.01, 0.01, 100)),
        (("--requests", "50", "--hidden-share", "2"), "fixed sample", (0.05, 0.01, 0.02, 50)),
    ],
    ids=str,
)
def test_the_rule_that_decides_is_as_asked_for(
    meshed: Cli, argv: tuple[str, ...], name: str, figures: tuple[float, ...]
) -> None:
    found = meshed("verify", "--expect", "v1=50%,v2=50%", *argv, "-o", "json").json["rule"]
    assert found.pop("name") == name
    assert tuple(found[key] for key in ("margin", "errorRate", "hiddenShare", "maxRequests")) == (
        figures
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--margin", "60"), "--margin: '60' cannot be kept"),
        (("--margin", "0"), "--margin: '0' cannot be kept"),
        (("--error-rate", "x"), "--error-rate: 'x' is not a percentage"),
        (("--hidden-share", "1e3"), "--hidden-share: '1e3' is not a percentage"),
        (("--max-requests", "0"), "--max-requests: 0 is not 1 or more"),
        (("--requests", "5", "--max-requests", "5"), "leave out --max-requests"),
        (("--by", "cookie:x"), "--by: 'cookie:x' names no place"),
        (("--method", "HEAD"), "names no version"),
        (("--method", "HEAD", "--by", "json:version"), "names no version"),
    ],
    ids=str,
)
def test_what_cannot_be_proved_is_refused_before_anything_is_sent(
    meshed: Cli, argv: tuple[str, ...], said: str
) -> None:
    ended = meshed("verify", *argv)
    assert ended.code == 2
    assert said in ended.err
    assert "send" not in meshed.engine.calls[-1:]


def test_a_version_is_read_from_a_header(meshed: Cli) -> None:
    answer = Reply(200, "hello", headers=(("X-Version", "v2"),))
    meshed.engine.replies = lambda count: iter([answer] * count)
    found = meshed("verify", "--method", "HEAD", "--by", "header:x-version", "--expect", "v2=100%")
    assert found.code == 0
    assert meshed.engine.request.wants_headers


ECHO = Reply(200, '{"version": "v1", "pod": "app-v1-abc"}', began=1764400000.25, seconds=0.0125)
RECORDED: tuple[tuple[Reply, dict[str, object]], ...] = (
    (
        ECHO,
        {
            "began": "2025-11-29T07:06:40.250000Z",
            "seconds": 0.0125,
            "status": 200,
            "version": "v1",
            "pod": "app-v1-abc",
        },
    ),
    (Reply(200, "v2"), {"status": 200, "version": "v2"}),
    (Reply(200, "v9"), {"status": 200}),
    (Reply(503, "no healthy upstream"), {"status": 503}),
    (Reply(200, "{["), {"status": 200}),
    (Reply(error="timed out", seconds=10.0), {"error": "timed out", "seconds": 10.0}),
)


def test_a_record_has_a_line_for_each_request(meshed: Cli, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("an older one\n")
    meshed.engine.replies = lambda _: (reply for reply, _ in RECORDED)
    question = ("--expect", "v1=50%,v2=50%", "--requests", "6", "-o", "json")
    ended = meshed("verify", *question, "--record", str(file))
    nothing = dict.fromkeys(("began", "seconds", "status", "version", "pod", "error"))
    assert read_record(file) == [
        {"number": number, **nothing, **expected}
        for number, (_, expected) in enumerate(RECORDED, 1)
    ]
    assert ended.json["tally"]["total"] == len(RECORDED)


def test_a_record_keeps_what_came_before_it_broke_off(meshed: Cli, tmp_path: Path) -> None:
    def some(_: int) -> Iterator[Reply]:
        yield from [Reply(200, "v2")] * 7
        raise Sigterm

    meshed.engine.replies = some
    ended = meshed("verify", "--expect", "v2=100%", "--record", str(tmp_path / "r"), "-o", "json")
    assert (ended.code, ended.json["tally"]["total"]) == (143, 7)
    assert len(read_record(tmp_path / "r")) == 7


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk")
def test_a_record_that_cannot_be_written_proves_nothing(meshed: Cli) -> None:
    ended = meshed("verify", "--expect", "v2=100%", "--record", "/dev/full")
    assert (ended.code, ended.out) == (3, "")
    assert "error: --record: /dev/full cannot be written: No space left" in ended.err


def test_another_pod_sends_if_its_labels_are_named(meshed: Cli) -> None:
    ended = meshed("verify", "--from", "app=app,version=v1", "--expect", "v2=100%", "--explain")
    assert ended.code == 0
    assert "GET http://app/env/version from app-v1-abc, 459 answers" in ended.out
    assert "get pod -l app=app,version=v1 -o name | head -n 1" in ended.err
    ended = meshed("verify", "--from", "version in (v2)", "--expect", "v2=100%", "-o", "json")
    assert ended.json["request"]["from"] == "app-v2-abc"
    assert meshed("verify", "--expect", "v2=100%", "-o", "json").json["request"]["from"] is None


@pytest.mark.parametrize("command", ["verify", "exec", "shell", "proxy-url"])
def test_a_sender_whose_labels_cannot_be_read_is_a_usage_error(meshed: Cli, command: str) -> None:
    rest = ("--", "true") if command == "exec" else ()
    ended = meshed(command, "--from", "app=a,", *rest)
    assert (ended.code, "--from: " in ended.err) == (2, True)


def test_a_sender_that_is_not_there_is_named_with_those_that_are(meshed: Cli) -> None:
    ended = meshed("verify", "--from", "app=moon")
    assert (ended.code, "There are pods with app=app, app=testclient" in ended.err) == (3, True)


def test_an_uninjected_pod_sends_nothing_of_the_mesh(deployed: Cli) -> None:
    ended = deployed("verify", "--from", "version=v1")
    assert (ended.code, "the pod app-v1-abc (version=v1) has no sidecar" in ended.err) == (3, True)


def test_github_is_told_the_cause_and_its_place(
    meshed: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "v1.yaml"
    http = [route(to("v1"))]
    rule = manifest("VirtualService", "app-default-v2", "default", hosts=["app"], http=http)
    file.write_text(yaml.safe_dump(rule))
    assert meshed("route", "-f", str(file)).code == 0
    summary = tmp_path / "summary"
    for name, value in (("ACTIONS", "true"), ("STEP_SUMMARY", summary), ("WORKSPACE", tmp_path)):
        monkeypatch.setenv(f"GITHUB_{name}", str(value))
    ended = meshed("verify", "--expect", "v2=100%", "-o", "json")
    assert (ended.code, ended.json["verdict"]) == (1, "not met"), "one document alone on stdout"
    (line,) = (line for line in ended.err.splitlines() if line.startswith("::"))
    assert line.startswith(
        "::error title=meshdemo verify%3A v2=100%25%3A not met,file=v1.yaml,line=10::cause: "
    )
    assert meshed("verify").code == 0
    told = summary.read_text()
    assert re.findall("<h3>(.*)</h3>", told) == [
        "✘ meshdemo verify: v2=100%: not met",
        "✔ meshdemo verify: v1=100%: met",
    ]
    assert "v2: 0 of 20 answers" in told
    assert "v1.yaml:10" in told


def test_github_is_told_nothing_of_other_commands(
    meshed: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert meshed("status").code == 0
    assert meshed("route", "-f", str(tmp_path / "none.yaml")).code == 2
    assert not (tmp_path / "summary").exists()
