"""The objects of a repository, beside whatever else it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.objects import repository

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME}
spec: {hosts: [app], http: [{route: [{destination: {host: app}}]}]}
"""


def write(root: Path, **texts: str) -> None:
    """Write files, by paths in which ``__`` is a slash; a rule of this name where none is given."""
    for path, text in texts.items():
        file = root.joinpath(*f"{path}.yaml".split("__"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or RULE.replace("NAME", path.rpartition("__")[2]))


def names(found: repository.Repository) -> list[str]:
    return [item.name for item in found.objects]


def test_folders_are_searched_with_all_below_them_but_hidden_ones(tmp_path: Path) -> None:
    write(tmp_path, b="", a__deep__c="", node_modules__x__no="", **{".github__no": "", ".no": ""})
    found = repository.read([str(tmp_path)], "shop")
    assert names(found) == ["b", "c"]
    assert [item.namespace for item in found.objects] == ["shop", "shop"]
    assert found.files == 2
    assert not found.problems


def test_a_file_is_read_once_whatever_names_it(tmp_path: Path) -> None:
    write(tmp_path, a="")
    paths = [str(tmp_path), str(tmp_path / "a.yaml"), f"{tmp_path}/./a.yaml"]
    assert names(repository.read(paths, "shop")) == ["a"]


def test_what_is_no_object_is_left_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        rule="",
        workflow="on: push\njobs: {a: !!python/name:os.system }\n",
        values="image: {tag: 1}\n",
        chart="apiVersion: v2\nname: shop\n",
        broken_otherwise="a: [\n",
    )
    found = repository.read([str(tmp_path)], "shop")
    assert names(found) == ["rule"]
    assert [found.problems, found.other_kinds, found.templates] == [[], {}, []]


def test_templates_are_named_and_not_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        helm="apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\n",
        about="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '{{ ok }}'}\n",
    )
    found = repository.read([str(tmp_path)], "shop")
    assert found.templates == [str(tmp_path / "helm.yaml")]
    assert names(found) == ["a"]


def test_a_text_that_speaks_of_objects_and_is_no_yaml_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, torn="apiVersion: v1\nkind: [\n")
    (problem,) = repository.read([str(tmp_path)], "shop").problems
    assert "not YAML" in problem.message


def test_patches_of_a_kustomization_are_parts_of_objects(tmp_path: Path) -> None:
    write(
        tmp_path,
        base__whole="",
        overlay__part="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n",
        overlay__old="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\nspec: {}\n",
        overlay__kustomization="""
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../base/whole.yaml]
patches: [{path: part.yaml}, {patch: "- op: remove"}]
patchesStrategicMerge: [old.yaml, "a: b\\nc: d"]
""",
    )
    found = repository.read([str(tmp_path)], "shop")
    assert names(found) == ["whole"]
    assert found.patches == [str(tmp_path / "overlay" / name) for name in ("old.yaml", "part.yaml")]


def test_kinds_that_nobody_here_knows_are_counted_and_a_misspelt_one_of_istio_is_kept(
    tmp_path: Path,
) -> None:
    other = "apiVersion: {}\nkind: {}\nmetadata: {{name: a}}\n---\n"
    kinds = [
        ("serving.knative.dev/v1", "Service"),
        ("serving.knative.dev/v1", "Service"),
        ("example.com/v1", "Moon"),
        ("meshdemo.dev/v1", "RouteTest"),
        ("networking.istio.io/v1", "VirtualServce"),
        ("apps/v1beta1", "Deployment"),
    ]
    write(tmp_path, a="".join(other.format(*each) for each in kinds))
    found = repository.read([str(tmp_path / "a.yaml")], "shop")
    assert found.other_kinds == {"Service": 2, "Moon": 1}
    assert [item.kind for item in found.objects] == ["VirtualServce", "Deployment"]


def test_what_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = repository.read([str(tmp_path / "nowhere")], "shop").problems
    assert "cannot be read" in problem.message
