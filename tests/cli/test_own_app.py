"""The user's own app: its test client, its URL, its split, and advice that is about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.results import Pod, Where
from meshdemo.engines.test_client import find_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

    from meshdemo.objects.model import Object

SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{name: http, port: 80}]}
"""
DEPLOYMENT = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME-VERSION}
spec:
  selector: {matchLabels: {app: NAME, version: VERSION}}
  template:
    metadata: {labels: {app: NAME, version: VERSION}}
    spec: {containers: [{name: NAME, image: meshdemo/echo}]}
"""
RULE = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: mine}
spec: {hosts: [shop], http: [{WAY route: [{destination: {host: shop, subset: v1}}]}]}
"""


def app(name: str) -> str:
    parts = [SERVICE, *(DEPLOYMENT.replace("VERSION", version) for version in ("v1", "v2"))]
    return "".join(parts).replace("NAME", name)


GATEWAY = """---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: door}
spec: WRONG
"""


@pytest.mark.parametrize(
    ("command", "word"),
    [("up --no-verify", "gw"), ("deploy", "Gateway"), ("route", "gateways.networking.istio.io")],
)
def test_a_kind_is_left_out_and_that_is_said(
    cli: Cli, tmp_path: Path, command: str, word: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text((RULE.replace("WAY", "") if command == "route" else app("shop")) + GATEWAY)
    assert cli(*command.split(), "-f", str(file)).code == 2
    done = cli(*command.split(), "-f", str(file), "--skip", word)
    assert done.code == 0
    assert "warning: left out by --skip, so not in effect here: Gateway door" in done.err
    assert "Gateway" not in {item.kind for item in cli.engine.objects()}


def test_a_kind_that_nothing_is_of_and_a_file_with_nothing_else(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GATEWAY.replace("WRONG", "{}"))
    done = cli("deploy", "-f", str(tmp_path / "mine.yaml"), "--skip", "gw")
    assert (done.code, "no objects" in done.err) == (2, True)
    (tmp_path / "mine.yaml").write_text(app("shop"))
    done = cli("deploy", "-f", str(tmp_path / "mine.yaml"), "--skip", "Gatewya")
    assert (done.code, "nothing is of this kind" in done.err) == (0, True)


STOOD_IN = "meshdemo.dev/stand-in"


def stood_in(cli: Cli) -> set[str]:
    templates = [item.pod_template.get("metadata") or {} for item in cli.engine.objects()]
    return {t["annotations"][STOOD_IN] for t in templates if STOOD_IN in t.get("annotations", {})}


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        (("--stand-in",), {"all"}),
        (("--stand-in", "--no-verify"), {"all"}),
        (("--stand-in", "all"), {"all"}),
        (("--stand-in", "meshdemo/echo"), {"meshdemo/echo"}),
        (("--stand-in=echo", "--stand-in", "meshdemo/echo"), {"meshdemo/echo"}),
        ((), set()),
    ],
    ids=" ".join,
)
def test_images_get_stand_ins_all_or_those_that_are_named(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], marked: set[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(app("shop"))
    before, after = (words, ()) if "--no-verify" in words else (("--no-verify",), words)
    assert cli("up", *before, "-f", str(tmp_path / "mine.yaml"), *after).code == 0
    assert stood_in(cli) == marked
    client = cli.engine.applied["apps", "Deployment", "default", "testclient"]
    assert STOOD_IN not in (client.pod_template["metadata"].get("annotations") or {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-f", "FILE", "--stand-in", "nginx"), "no image is called nginx"),
        (("--stand-in",), "--stand-in is about your files"),
        (("-f", "FILE", "--stand-in", "--engine", "cluster"), "a cluster runs the images"),
    ],
)
@pytest.mark.parametrize("command", ["up", "deploy"])
def test_a_stand_in_that_makes_no_sense_is_refused(
    cli: Cli, tmp_path: Path, command: str, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "mine.yaml").write_text(app("shop"))
    ended = cli(command, *(w.replace("FILE", str(tmp_path / "mine.yaml")) for w in words))
    assert (ended.code, said in ended.err) == (2, True)
    assert "apply" not in cli.engine.calls


@pytest.fixture
def shop(cli: Cli, tmp_path: Path) -> Cli:
    """The user's own app, and nothing of the walkthrough's but its test client."""
    (tmp_path / "shop.yaml").write_text(app("shop"))
    assert cli("up", "--no-verify", "-f", str(tmp_path / "shop.yaml")).code == 0
    return cli


def rules(cli: Cli, kind: str = "VirtualService") -> dict[str, Object]:
    return {item.name: item for item in cli.engine.objects() if item.kind == kind}


@pytest.mark.parametrize(
    ("change", "url"),
    [
        (("", ""), "http://shop/"),
        (("port: 80}", "port: 8080}"), "http://shop:8080/"),
        (("{name: http, port: 80}", "{name: tcp, port: 9}, {name: http-x, port: 81}"),
         "http://shop:81/"),
        (("{name: shop}", "{name: shop, namespace: blue}"), "http://shop.blue/"),
        (("{name: shop}", "{name: app}"), "http://app/env/version"),
    ],
    ids=["port 80", "another port", "the first HTTP port", "another namespace", "called app"],
)  # fmt: skip
def test_verify_and_up_ask_the_only_service_of_yours(
    cli: Cli, tmp_path: Path, change: tuple[str, str], url: str
) -> None:
    (tmp_path / "shop.yaml").write_text(app("shop").replace(*change, 1))
    cli("up", "-f", str(tmp_path))
    ended = cli("verify", "--expect", "v1=50%,v2=50%", "-o", "json")
    assert ended.json["request"]["url"] == cli.engine.request.url == url
    assert f" {url}; echo" in cli("verify", "--expect", "v1=1%", "--explain").err


def test_up_proves_what_your_rules_promise_and_says_what_to_try(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(app("shop"))
    ended = cli("up", "-f", str(tmp_path))
    assert "GET http://shop/, 1,000 answers" in ended.out
    assert "http://shop/   # be the test client yourself" in ended.out
    assert "curl -s http://shop/; echo" in cli("up", "-f", str(tmp_path), "--explain").err
    script = cli("up", "-f", str(tmp_path), "--dry-run").out
    assert "curl -s http://shop/; echo" in script
    assert "kubectl apply -f test-client.injected.yaml" in script


def test_of_several_services_verify_asks_which_one(shop: Cli, tmp_path: Path) -> None:
    (tmp_path / "cart.yaml").write_text(app("cart"))
    ended = shop("up", "-f", str(tmp_path / "cart.yaml"))
    assert ended.code == 0
    assert "not verified: there are several Services" in ended.err
    ended = shop("verify")
    assert ended.code == 2
    assert "http://cart/, http://shop/" in ended.err
    assert "--url http://cart/" in ended.err
    assert shop("verify", "--url", "http://shop/", "--expect", "v1=50%,v2=50%").code == 0


def test_a_split_of_your_own_service(shop: Cli) -> None:
    assert shop("route", "--host", "shop", "v1=90", "v2=10").code == 0
    assert shop("route", "--host", "shop.default.svc.cluster.local", "v2").code == 0
    (rule,) = rules(shop).values()
    destination = {"host": "shop", "subset": "v2"}
    assert rule.spec == {"hosts": ["shop"], "http": [{"route": [{"destination": destination}]}]}
    (subsets,) = rules(shop, "DestinationRule").values()
    assert [subset["name"] for subset in subsets.spec["subsets"]] == ["v1", "v2"]


def test_your_own_rule_is_changed_in_place_where_it_is_nothing_but_a_split(
    shop: Cli, tmp_path: Path
) -> None:
    (tmp_path / "rule.yaml").write_text(RULE.replace("WAY", "timeout: 1s,"))
    assert shop("route", "-f", str(tmp_path / "rule.yaml")).code == 0
    assert shop("route", "--host", "shop", "v1=90", "v2=10").code == 0
    assert list(rules(shop)) == ["mine"]
    (way,) = rules(shop)["mine"].spec["http"]
    assert way["timeout"] == "1s"
    assert [route["weight"] for route in way["route"]] == [90, 10]


@pytest.mark.parametrize(
    "other",
    [
        RULE.replace("WAY", "match: [{uri: {prefix: /}}],"),
        RULE.replace("WAY", "redirect: {uri: /},"),
        RULE.replace("WAY", "").replace("[shop]", "[shop, cart]"),
        RULE.replace("WAY", "").replace("subset: v1}", "subset: v1, port: {number: 80}}"),
        RULE.replace("WAY", "").replace("subset: v1}}", "subset: v1}, headers: {}}"),
        RULE.replace("WAY", "").replace("{host: shop,", "{host: cart,"),
        RULE.replace("WAY", "") + RULE.replace("WAY", "").replace("mine", "second"),
    ],
    ids=["match", "redirect", "hosts", "port", "headers", "another host", "two rules"],
)
def test_a_rule_of_yours_that_says_more_is_never_lost(
    shop: Cli, tmp_path: Path, other: str
) -> None:
    (tmp_path / "rule.yaml").write_text(other)
    assert shop("route", "-f", str(tmp_path / "rule.yaml")).code == 0
    before = rules(shop)
    ended = shop("route", "--host", "shop", "v2")
    assert ended.code == 3
    assert "VirtualService default/mine" in ended.err
    assert "meshdemo delete" in ended.err
    assert rules(shop) == before


@pytest.mark.parametrize(
    ("labels", "way_out"),
    [("", "kubectl delete virtualservice mine -n default"),
     ("labels: {meshdemo.dev/run: default}", "meshdemo delete virtualservice mine")],
    ids=["somebody else's", "ours"],
)  # fmt: skip
def test_on_a_cluster_the_way_out_is_for_whoever_made_the_other_rule(
    shop: Cli, tmp_path: Path, labels: str, way_out: str
) -> None:
    rule = RULE.replace("WAY", "timeout: 1s, match: [{uri: {prefix: /}}],")
    (tmp_path / "rule.yaml").write_text(rule.replace("name: mine", f"name: mine, {labels}"))
    assert shop("route", "-f", str(tmp_path / "rule.yaml")).code == 0
    shop.engine.where = Where("cluster", "kind", "default", "https://127.0.0.1:1")
    ended = shop("route", "--host", "shop", "v2")
    assert (ended.code, way_out in ended.err.replace(f" --state-dir {shop.state}", "")) == (3, True)


def test_route_says_which_service_to_name(shop: Cli) -> None:
    ended = shop("route", "v1=90", "v2=10")
    assert ended.code == 3
    assert "there is no Service app in namespace default" in ended.err
    assert "--host shop v1=90 v2=10\n" in ended.err
    assert "meshdemo up" not in ended.err
    assert not rules(shop)


def test_a_host_is_about_a_split(shop: Cli) -> None:
    assert shop("route", "--host", "shop", "--clear").code == 2
    assert shop("route", "--host", "shop", "v9").code == 2
    assert not rules(shop)


def test_deploy_says_how_to_route_your_own_app(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(app("shop"))
    ended = cli("deploy", "-f", str(tmp_path), "--injection", "kube-inject")
    assert "next: meshdemo route" in ended.out
    assert "--host shop v2 (sends all traffic to v2)" in ended.out


@pytest.mark.parametrize("command", [("verify",), ("verify", "--expect", "v2=100%")], ids=str)
def test_without_a_test_client_the_advice_is_about_your_own_app(
    cli: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "shop.yaml").write_text(app("shop"))
    assert cli("deploy", "-f", str(tmp_path)).code == 0
    ended = cli(*command)
    assert ended.code == 3
    assert "there is no test client in namespace default" in ended.err
    assert "-f FILE\n" in ended.err


@pytest.mark.parametrize(
    ("name", "labels", "is_one"),
    [
        ("testclient", {}, True),
        ("curl", {"app": "testclient"}, True),
        ("curl", {"app": "x"}, False),
    ],
    ids=["named", "labelled", "neither"],
)
def test_a_bare_pod_may_be_the_test_client(
    name: str, labels: dict[str, str], *, is_one: bool
) -> None:
    pod = Pod(name, "default", labels, (), injected=True, phase="Running")
    assert find_client([pod], "default") is (pod if is_one else None)
    assert find_client([pod], "blue") is None
