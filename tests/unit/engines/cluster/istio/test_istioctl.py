from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.cluster.istio import istioctl
from meshdemo.engines.cluster.istio.istioctl import Istioctl
from meshdemo.engines.cluster.istio.releases import PINNED
from meshdemo.engines.options import MeshOptions
from meshdemo.errors import EnvironmentFailed
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Any]

SECONDS = 60
"""How long a scripted istioctl may take: it is a Python that has to start."""
EVERY = ("1.10", "1.20", "1.23", "1.24", "1.28", "1.31", "1.32")


def opened(program: Any, **more: Any) -> Istioctl:
    return Istioctl(istioctl.probe(program.path, "test"), **more)


@pytest.fixture
def places(scripted: Make, tmp_path: Path) -> dict[str, str]:
    """An environment with one istioctl in each of the places."""
    scripted("1.24", "variable")
    scripted("1.28", "path")
    scripted("1.31", "cache/meshdemo/istioctl/1.31.1")
    scripted("1.20", "cache/meshdemo/istioctl/1.9.1")
    return {
        "MESHDEMO_ISTIOCTL": str(tmp_path / "variable/istioctl"),
        "PATH": str(tmp_path / "path"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_the_option_comes_before_the_variable_path_and_cache(
    places: dict[str, str], scripted: Make
) -> None:
    found = istioctl.find(str(scripted("1.32").path), places)
    assert (found.source, found.release.minor) == ("--istioctl", 32)
    found = istioctl.find(None, places)
    assert (found.source, found.version) == ("MESHDEMO_ISTIOCTL", "1.24.6")
    del places["MESHDEMO_ISTIOCTL"]
    found = istioctl.find(None, places)
    assert (found.source, found.version) == ("PATH", "1.28.3")
    places["PATH"] = "/nowhere"
    found = istioctl.find(None, places)
    assert (found.source, found.version) == ("meshdemo's cache", "1.31.1")


@pytest.mark.parametrize(
    ("mesh", "fetched"),
    [("", PINNED), ("1.28.4", "1.28.4"), ("1.29.0-rc.1", "1.29.0-rc.1"), ("1.32-alpha.ee", PINNED),
     ("1.24.3-asm.1", PINNED)],
)  # fmt: skip
def test_without_one_the_error_says_what_to_type_for_the_istio_that_is_there(
    mesh: str, fetched: str, tmp_path: Path
) -> None:
    nothing = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(EnvironmentFailed) as caught:
        istioctl.find(None, nothing, mesh)
    assert f"Type: meshdemo install --download-istioctl {fetched}. Or name" in caught.value.hint
    assert caught.value.exit_code == 3


def test_what_takes_the_place_of_another_must_be_named(
    tmp_path: Path, scripted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache/meshdemo/istioctl/1.28.3/istioctl"
    name = f"name it, by --istioctl {place} or MESHDEMO_ISTIOCTL={place}"
    hint = istioctl.ways_out("1.28.3", instead=True)
    assert hint == f"Type: meshdemo install --download-istioctl 1.28.3; then {name}"
    scripted("1.28", "cache/meshdemo/istioctl/1.28.3")
    assert istioctl.ways_out("1.28.3", instead=True) == f"It was fetched before: {name}"
    assert istioctl.ways_out("1.28.3", instead=True, of=place).startswith("Remove that file.")


def test_what_was_found_out_about_a_program_is_not_asked_again(scripted: Make) -> None:
    broken = scripted("1.32")
    broken.says({"argv": ["version"], "stderr": "it broke\n", "exit": 1})
    for _ in range(2):
        with pytest.raises(EnvironmentFailed, match="it broke"):
            istioctl.probe(broken.path, "test")
    assert len(broken.calls) == 1


@pytest.mark.parametrize("given", ["--istioctl", "MESHDEMO_ISTIOCTL"])
def test_a_named_one_that_is_not_there_is_an_error_and_no_other_is_taken(
    given: str, places: dict[str, str]
) -> None:
    places["MESHDEMO_ISTIOCTL"] = "/nowhere/istioctl"
    chosen = "/nowhere/istioctl" if given == "--istioctl" else None
    with pytest.raises(EnvironmentFailed, match=f"{given} names /nowhere/istioctl"):
        istioctl.find(chosen, places)


def test_a_program_that_says_no_version_is_not_istioctl(tmp_path: Path) -> None:
    program = tmp_path / "istioctl"
    program.write_text("#!/bin/sh\necho kubectl 1.2\n")
    program.chmod(0o755)
    with pytest.raises(EnvironmentFailed, match="is not istioctl"):
        istioctl.probe(program, "test")


@pytest.mark.parametrize("release", EVERY)
def test_every_release_says_its_version_and_the_meshs(release: str, scripted: Make) -> None:
    ctl = opened(scripted(release))
    assert str(ctl.found.release) == release
    assert ctl.versions().mesh == (ctl.found.version,)


def test_the_proxies_versions_are_known(scripted: Make) -> None:
    assert opened(scripted("1.32")).versions().proxies == ("1.32-alpha.eed52ebb66ad",)


def test_without_istio_there_is_no_mesh_version(scripted: Make, samples: Path) -> None:
    program = scripted("1.32")
    said = (samples / "version-before-install.stdout").read_text()
    program.says({"argv": ["version"], "stdout": said})
    assert opened(program).versions().mesh == ()


def test_a_call_that_hangs_is_ended(scripted: Make) -> None:
    program = scripted("1.32")
    ctl = opened(program)
    program.says({"argv": ["version"], "hangs": 600})
    with pytest.raises(shell.CommandFailed, match=r"did not end within 0\.5 s"):
        ctl.versions(timeout=0.5)


def test_install_hands_on_profile_settings_files_and_revision(scripted: Make) -> None:
    program = scripted("1.32")
    options = MeshOptions("minimal", ("hub=a/b", "tag=1"), ("iop.yaml",), revision="canary")
    ctl = opened(program, cluster=("--context", "rig"))
    list(ctl.install(options, 90))
    assert program.last == [
        *("install", "--context", "rig", "--istioNamespace", "istio-system", "-y"),
        *("--set", "profile=minimal", "--set", "hub=a/b", "--set", "tag=1", "-f", "iop.yaml"),
        *("--revision", "canary", "--readiness-timeout", "90s"),
    ]


def test_nothing_is_asked_for_that_the_user_did_not_ask_for(scripted: Make) -> None:
    program = scripted("1.32")
    list(opened(program).install(MeshOptions(), 300))
    assert "--set" not in program.last


@pytest.mark.parametrize("release", EVERY)
def test_what_install_says_comes_line_by_line_without_the_sail(
    release: str, scripted: Make
) -> None:
    lines = list(opened(scripted(release)).install(MeshOptions(), SECONDS))
    assert "✔ Istiod installed" in " ".join(lines)
    assert all(any(c.isalpha() for c in line) for line in lines)
    assert lines[-1].startswith(("✔ Installation complete", "Thank you"))


def test_its_lines_come_while_it_still_works(scripted: Make) -> None:
    program = scripted("1.32")
    ctl = opened(program)
    program.says({"argv": ["install"], "stderr": "- Processing\n", "hangs": 600})
    lines = ctl.install(MeshOptions(), 900)
    assert next(lines) == "- Processing"
    lines.close()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize(
    ("release", "command"),
    [("1.10", ["x", "uninstall"]), ("1.20", ["uninstall"]), ("1.32", ["uninstall"])],
)
def test_uninstall_is_spelled_as_the_release_wants_it(
    release: str, command: list[str], scripted: Make
) -> None:
    program = scripted(release)
    lines = list(opened(program).uninstall(purge=True, timeout=SECONDS))
    assert program.last[: len(command)] == command
    assert program.last[-2:] == ["-y", "--purge"]
    assert "✔ Uninstall complete" in lines


def test_without_purge_only_its_own_revision_goes(scripted: Make) -> None:
    program = scripted("1.32")
    list(opened(program, revision="canary").uninstall(purge=False, timeout=SECONDS))
    assert program.last[-3:] == ["-y", "--revision", "canary"]


@pytest.mark.parametrize(
    ("release", "revision", "said"),
    [
        ("1.10", "default", []),
        ("1.24", "default", []),
        ("1.28", "default", ["-r", "default"]),
        ("1.32", "default", ["-r", "default"]),
        ("1.20", "canary", ["-r", "canary"]),
    ],
)
def test_kube_inject_names_the_revision_where_it_would_look_for_one(
    release: str, revision: str, said: list[str], scripted: Make
) -> None:
    program = scripted(release)
    ctl = opened(program, revision=revision)
    program.says({"argv": ["kube-inject"], "echo": True})
    assert ctl.kube_inject("kind: Pod\n") == "kind: Pod\n"
    start = ["kube-inject", "--istioNamespace", "istio-system"]
    assert program.last == ["kube-inject", *start[1:], *said, "-f", "-"] or program.last == [
        *("kube-inject", *said, "-f", "-"),
        *start[1:],
    ]


def test_analyze_is_judged_by_its_json_because_its_exit_status_says_nothing(scripted: Make) -> None:
    findings = opened(scripted("1.32")).analyze("default")
    assert [(f.code, f.subject) for f in findings] == [
        ("IST0101", "VirtualService default/app-default-v2")
    ]


def test_the_images_of_an_istio_are_those_of_its_pods_and_of_its_sidecar(scripted: Make) -> None:
    values = {"global": {"hub": "mirror/istio", "tag": "1.30.3", "proxy": {"image": "proxyv2"}}}
    config = {"kind": "ConfigMap", "metadata": {}, "data": {"values": json.dumps(values)}}
    pod = {"spec": {"containers": [{"image": "mirror/istio/pilot:1.30.3"}, {"image": "auto"}]}}
    objects = [config, {"kind": "Deployment", "spec": {"template": pod}}]
    program = scripted("1.32")
    said = "".join(f"---\n{json.dumps(item)}\n" for item in objects)
    program.says({"argv": ["manifest", "generate", "--set", "profile=minimal"], "stdout": said})
    assert opened(program).images(MeshOptions("minimal")) == (
        "mirror/istio/proxyv2:1.30.3",
        "mirror/istio/pilot:1.30.3",
    )
