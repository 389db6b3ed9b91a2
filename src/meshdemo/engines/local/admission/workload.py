"""What a server asks of a workload or a Pod, and whether anything here can run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.local import images, programs
from meshdemo.engines.local.admission import config_data, names
from meshdemo.engines.local.admission.metadata import tag_problems
from meshdemo.engines.local.admission.references import label_problems
from meshdemo.objects.containers import ISTIO_INIT, ISTIO_PROXY, ISTIO_VALIDATION
from meshdemo.objects.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

INJECTED_CONTAINERS = frozenset({ISTIO_INIT, ISTIO_PROXY, ISTIO_VALIDATION})
BY_VALUES = frozenset({"In", "NotIn"})


def problems(workload: Place) -> Iterator[Problem]:
    """Judge a whole workload, or a Pod."""
    kind = workload.item.kind
    if kind == "Pod":
        yield from _pod_problems(workload)
        return
    template, selector = workload["spec"]["template"], workload["spec"]["selector"]
    yield from tag_problems(template["metadata"])
    if kind == "ReplicationController":
        yield from _wanted_label_problems(selector, template["metadata"]["labels"])
    elif kind != "Job":  # whose selector Kubernetes makes itself
        yield from _selector_problems(selector, template["metadata"]["labels"])
    policy = template["spec"]["restartPolicy"]
    if (kind == "Job") == (policy.text in ("", "Always")):
        wanted = "OnFailure or Never" if kind == "Job" else "Always"
        yield policy.problem(f"the pods of a {kind} need {wanted} here")
    yield from _pod_problems(template)


def notes(objects: Iterable[Object]) -> Iterator[str]:
    """Say once what becomes of volumes."""
    pods = [item.pod_template for item in objects if item.makes_pods]
    if stood_in := dict.fromkeys(name for each in pods for name in images.names(each)):
        yield f"the echo app stands in for {', '.join(stood_in)}"
    if any(programs.mounted(each) for each in pods if not images.are_all_ours(each)):
        where = "the environment names each one's folder, as VOLUME_DATA that of data, and so does"
        yield f"volumes are not at their mountPath here: {where} {{volume:data}} in a command"


def _selector_problems(selector: Place, labels: Place) -> Iterator[Problem]:
    yield from label_problems(selector["matchLabels"], names.LONGEST_LABEL)
    wanted, expressions = selector["matchLabels"], selector["matchExpressions"].items
    if selector.there and not wanted.entries and not expressions:
        yield selector.problem("the selector is empty", "write matchLabels as in the template")
    yield from _wanted_label_problems(wanted, labels)
    for expression in expressions:
        yield from _expression_problems(expression, labels.texts)


def _wanted_label_problems(wanted: Place, labels: Place) -> Iterator[Problem]:
    for key, value in wanted.entries.items():
        if value.is_text and labels[key].value != value.text:
            has = f"they have {key}={labels[key].text}" if key in labels else f"they have no {key}"
            yield value.problem(
                f"the selector does not match the labels of the pods: {has}",
                f"write {key}: {value.text} in spec.template.metadata.labels",
            )


def _expression_problems(expression: Place, labels: dict[str, str]) -> Iterator[Problem]:
    key, operator = expression["key"].text, expression["operator"].text
    values = [value.text for value in expression["values"].items]
    if operator in BY_VALUES and not values:
        yield expression["values"].problem(f"the operator {operator} needs values")
    holds = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    if not holds.get(operator, True):
        yield expression.problem("the selector does not match the labels of the pods")


def _pod_problems(template: Place) -> Iterator[Problem]:
    containers = template["spec"]["containers"]
    if containers.value == []:
        yield containers.problem("a pod needs at least one container")
    seen: set[str] = set()
    for container in containers.items:
        name = container["name"]
        if name.is_text and (wrong := names.dns_label(name.text)):
            yield name.problem(wrong)
        elif name.text and name.text in seen:
            yield name.problem(f'there are two containers of the name "{name.text}"')
        elif name.text in INJECTED_CONTAINERS:
            yield name.problem("the local engine runs the sidecar itself", "give it not injected")
        seen.add(name.text)
        yield from _container_problems(container)
    yield from _volume_problems(template["spec"])
    yield from _image_problems(template)


def _container_problems(container: Place) -> Iterator[Problem]:
    image = container["image"]
    if image.is_text and image.text != image.text.strip():
        yield image.problem("the image has white space around its name")
    for variable in container["env"].items:
        name = variable["name"]
        if name.is_text and (wrong := names.env_name(name.text)):
            yield name.problem(wrong)
        if "\0" in variable["value"].text:
            yield variable["value"].problem("no environment can hold a NUL character")
    yield from config_data.environment_problems(container)
    seen: set[str] = set()
    for port in container["ports"].items:
        name = port["name"]
        if name.text and (wrong := names.port_name(name.text)):
            yield name.problem(wrong)
        elif name.text and name.text in seen:
            yield name.problem(f'there are two ports of the name "{name.text}"')
        seen.add(name.text)


def _volume_problems(spec: Place) -> Iterator[Problem]:
    """Judge the names of volumes, and whether what is mounted is there."""
    claims = Place(spec.item, spec.item.spec)["volumeClaimTemplates"]
    claimed = {claim["metadata"]["name"].text for claim in claims.items}
    seen: set[str] = set()
    for volume in spec["volumes"].items:
        name = volume["name"]
        if name.is_text and (wrong := names.dns_label(name.text)):
            yield name.problem(wrong)
        elif name.text in seen:
            yield name.problem(f'there are two volumes of the name "{name.text}"')
        seen.add(name.text)
        yield from config_data.volume_problems(volume)
    for container in spec["containers"].items:
        for mount in container["volumeMounts"].items:
            name = mount["name"]
            if name.text and name.text not in seen | claimed:
                yield name.problem(f'there is no volume "{name.text}" in the pod')


def _image_problems(template: Place) -> Iterator[Problem]:
    """Ask what nothing runs, with the parts of the template that are readable."""
    spec = template["spec"]
    containers = spec["containers"].rows
    readable = {
        "metadata": {"annotations": template["metadata"]["annotations"].texts},
        "spec": {"containers": [_readable(container) for container in containers]},
    }
    for path, message, hint in programs.problems_of(readable):
        about = containers[path[2]] if path[0] == "spec" and isinstance(path[2], int) else None
        if about and not about["image"].is_text:
            continue  # the table has said that it is missing
        yield template.item.problem(message, *template.path, *path, hint=hint)


def _readable(container: Place) -> dict[str, Any]:
    return {
        "image": container["image"].text,
        **{
            name: [word.text for word in container[name].items]
            for name in ("command", "args")
            if name in container
        },
    }
