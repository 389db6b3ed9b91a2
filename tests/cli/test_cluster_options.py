"""Options that only a cluster uses: which istioctl, which Istio, which images."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.printed import read

from meshdemo.engines.options import Download

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli


def images(cli: Cli) -> set[str]:
    deployments = [item for item in cli.engine.objects() if item.kind == "Deployment"]
    return {item.pod_template["spec"]["containers"][0]["image"] for item in deployments}


def test_install_hands_on_which_istio_is_meant(cli: Cli) -> None:
    argv = ("--revision", "canary", "--istio-namespace", "mesh", "--force")
    assert cli("install", *argv).code == 0
    options = cli.engine.options
    assert (options.revision, options.namespace, options.force) == ("canary", "mesh", True)
    assert options.download is None


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        ((), Download()),
        (("1.29.0",), Download("1.29.0")),
        (("--istioctl-mirror", "https://m", "--sha256", "ab"), Download("", "https://m", "ab")),
    ],
    ids=["the pinned one", "a version", "a mirror"],
)
def test_install_downloads_istioctl_when_it_is_asked_to(
    argv: tuple[str, ...], wanted: Download, cli: Cli
) -> None:
    assert cli("install", "--download-istioctl", *argv).code == 0
    assert cli.engine.options.download == wanted


@pytest.mark.parametrize(
    "argv",
    [
        ("1.29.0",),
        ("--sha256", "ab"),
        ("--istioctl-mirror", "https://m"),
        ("--download-istioctl", "--istioctl", "x"),
    ],
    ids=" ".join,
)
def test_half_a_download_is_a_usage_error(argv: tuple[str, ...], cli: Cli) -> None:
    assert cli("install", *argv).code == 2
    assert not cli.engine.calls


@pytest.mark.parametrize(
    "command", ["install", "doctor", "down", "deploy", "up", "inject", "images"]
)
def test_istioctl_can_be_named_wherever_it_is_needed(command: str, deployed: Cli) -> None:
    deployed(command, "--istioctl", "/opt/istioctl")
    assert deployed.choice
    assert deployed.choice.settings.istioctl == "/opt/istioctl"


@pytest.mark.parametrize("command", ["deploy", "up"])
def test_objects_are_taken_over_only_when_it_is_said(command: str, cli: Cli) -> None:
    cli(command)
    assert cli.choice
    assert not cli.choice.settings.adopt
    cli(command, "--adopt")
    assert cli.choice.settings.adopt


@pytest.mark.parametrize("command", ["deploy", "up"])
def test_other_images_are_deployed(command: str, cli: Cli) -> None:
    argv = ("--image", "app=mine/app:1", "--image-registry", "reg.example/")
    assert cli(command, *argv).code == 0
    assert images(cli) == {"mine/app:1", "reg.example/zze326/test-tools"}


def test_an_image_for_nobody_is_bad_input_and_changes_nothing(cli: Cli) -> None:
    ended = cli("deploy", "--image", "web=x")
    assert ended.code == 2
    assert "There are app, test-tools, testclient." in ended.err
    assert "apply" not in cli.engine.calls


@pytest.mark.parametrize("text", ["app", "app=", "=x"])
def test_an_image_without_name_or_image_is_a_usage_error(text: str, cli: Cli) -> None:
    ended = cli("deploy", "--image", text)
    assert ended.code == 2
    assert "is not NAME=IMAGE" in ended.err


def test_the_script_of_a_run_with_other_images_writes_them_into_the_manifests(cli: Cli) -> None:
    script = cli("up", "--dry-run", "--image", "app=mine/app:1").out
    assert "sed -i.bak 's|image: dustise/flaskapp$|image: mine/app:1|' app-istio.yaml" in script
    assert "test-tools$" not in script


def test_the_script_names_revision_and_namespace_of_istio(cli: Cli) -> None:
    script = cli("up", "--dry-run", "--revision", "canary", "--istio-namespace", "mesh").out
    install = next(line for line in script.splitlines() if "istioctl install" in line)
    assert "--revision canary --set values.global.istioNamespace=mesh" in install
    assert "kube-inject --istioNamespace mesh --revision canary" in script


def test_auto_injection_names_the_revision(cli: Cli) -> None:
    assert cli("up", "--injection", "auto", "--revision", "canary", "--no-verify").code == 0
    for item in cli.engine.objects():
        if item.kind == "Deployment":
            assert item.pod_template["metadata"]["labels"]["istio.io/rev"] == "canary"


def test_images_lists_those_of_the_workloads_and_of_the_mesh(cli: Cli) -> None:
    ended = cli("images", "--image-registry", "reg.example", "--istio-profile", "demo")
    assert ended.out.splitlines() == [
        "reg.example/dustise/flaskapp",
        "reg.example/zze326/test-tools",
        "example/proxy:1",
    ]
    assert cli.engine.options.profile == "demo"
    assert cli("images", "-o", "json").json["images"][-1] == "example/proxy:1"


def test_force_is_for_down_all_alone(deployed: Cli) -> None:
    assert deployed("down", "--force").code == 2
    assert deployed("down", "--all").code == 0
    assert not deployed.engine.forced
    assert deployed("down", "--all", "--force").code == 0
    assert deployed.engine.forced


ISTIOCTL = """\
#!/bin/sh
case "$1" in
version) echo '{"clientVersion": {"version": "1.30.3"}}' ;;
manifest) echo '{"spec": {"template": {"spec": {"containers": [{"image": "istio/pilot:1.30.3"}]}}}}'
esac
"""


def test_images_of_a_cluster_are_listed_where_there_is_none(tmp_path: Path) -> None:
    program = tmp_path / "istioctl"
    program.write_text(ISTIOCTL)
    program.chmod(0o755)
    argv = ["images", "--engine", "cluster", "--istioctl", str(program), "-o", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "meshdemo", "--state-dir", str(tmp_path), *argv],
        capture_output=True,
        check=True,
    )
    document = read(done.stdout)
    assert (document["engine"], document["context"]) == ("cluster", None)
    assert document["images"] == ["dustise/flaskapp", "zze326/test-tools", "istio/pilot:1.30.3"]
